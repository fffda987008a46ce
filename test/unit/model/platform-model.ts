export const TTL_MS = 6_000;

/** The lab of one identity, with the tokens that its bot has; a token is told by the epoch it was minted under. */
export class LabModel {
  readonly tokens = new Set<number>();
  /** The highest epoch that has spawned a lab here. */
  #fencedBy = 0;
  readonly #onStale: (why: string) => void;

  /** @param onStale told when a command takes effect that comes too late */
  constructor(onStale: (why: string) => void) {
    this.#onStale = onStale;
  }

  /** Another lab in the place of whatever there was. */
  spawn(epoch: number): void {
    this.command(epoch);
    this.#fencedBy = Math.max(this.#fencedBy, epoch);
  }

  /** Anything else that a token allows. @throws when the token is not valid any more */
  command(epoch: number): void {
    if (!this.tokens.has(epoch)) throw new Error('401 Unauthorized');
    if (epoch < this.#fencedBy) this.#onStale(`epoch ${epoch} commands the lab of epoch ${this.#fencedBy}`);
  }
}

/** The locks and epochs under leases in Redis. */
export class LeaseModel<Holder> {
  readonly #locks = new Map<string, { value: string; untilMs: number; holder: Holder }>();
  readonly #epochs = new Map<string, number>();
  readonly #usesTime: boolean;

  /** @param usesTime whether an epoch is never below the clock of Redis */
  constructor(usesTime: boolean) {
    this.#usesTime = usesTime;
  }

  keepsFor(username: string, holder: Holder): boolean {
    return this.#held(username)?.holder === holder;
  }

  /** As with a Redis that comes back without its last seconds, or without anything. */
  loseEpochs(): void {
    this.#epochs.clear();
  }

  nextEpoch(username: string, atLeast: number): number {
    const stored = this.#epochs.get(username) ?? 0;
    const epoch = Math.max(stored + 1, this.#usesTime ? Date.now() : 0, atLeast);
    this.#epochs.set(username, epoch);
    return epoch;
  }

  /** redlock's three scripts, told by what they do. @returns 1 when it was done */
  execute(script: string, username: string, holder: Holder, [value = '', ttlMs = '0']: string[]): number {
    const held = this.#held(username);
    const lock = { value, untilMs: Date.now() + Number(ttlMs), holder };
    if (script.includes('"exists"')) {
      if (held) return 0;
      this.#locks.set(username, lock);
      return 1;
    }
    if (script.trim() === 'return #KEYS') return 1;
    if (held?.value !== value) return 0;
    if (script.includes('"del"')) this.#locks.delete(username);
    else this.#locks.set(username, { ...lock, holder: held.holder });
    return 1;
  }

  #held(username: string) {
    const lock = this.#locks.get(username);
    return lock && lock.untilMs > Date.now() ? lock : undefined;
  }
}
