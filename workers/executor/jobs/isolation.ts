export const ISOLATIONS = ['submitter', 'lab', 'none'] as const;
/**
 * Whose notebooks may share a lab, in which nothing separates one from another. `submitter`: those of one submitter at a
 * time; `lab`: those of one submitter for as long as the lab lives; `none`: all.
 */
export type Isolation = (typeof ISOLATIONS)[number];

/** Whose a lab is: the one's whose notebook began last. */
export class LabTenancy {
  readonly #isolation: Isolation;
  #owner: string | undefined;

  constructor(isolation: Isolation) {
    this.#isolation = isolation;
  }

  /** Whether a notebook of this submitter may begin beside those that run; otherwise the lab must be empty before. */
  admits(owner: string): boolean {
    return this.#isolation === 'none' || this.#owner === undefined || this.#owner === owner;
  }

  /** Whether this lab can never be that submitter's. */
  excludes(owner: string): boolean {
    return this.#isolation === 'lab' && !this.admits(owner);
  }

  enter(owner: string): void {
    this.#owner = owner;
  }
}
