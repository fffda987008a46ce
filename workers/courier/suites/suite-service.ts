import type { NoteburstClient, Submission } from '../../../client/client.ts';
import type { NotebookResponse } from '../../../lib/contract/notebooks-api.ts';
import { isAskedWrongly, type CaseResult } from '../../../suite/report.ts';
import type { SuiteClient } from '../../../suite/run-suite.ts';
import { isTrouble } from '../../../suite/verdict.ts';
import { RetryLaterError } from '../errors.ts';

/** The service, as a suite uses it whose attempts may be several: what one has begun the next finds again. */
export class SuiteService implements SuiteClient {
  readonly #client: NoteburstClient;
  readonly #mayCancel: () => boolean;
  /** The ids of jobs that take the place of some that were lost. */
  readonly #second = new Set<string>();

  /** @param mayCancel whether nobody would go on with what runs */
  constructor(client: NoteburstClient, mayCancel: () => boolean) {
    this.#client = client;
    this.#mayCancel = mayCancel;
  }

  /** What was lost with its lab is submitted once more: it is nobody's fault, and yet it may lose the next lab, too. */
  async submit(
    submission: Submission,
    options: { idempotencyKey?: string; signal?: AbortSignal } = {},
  ): Promise<NotebookResponse> {
    const job = await this.#client.submit(submission, options);
    if (!job.error || job.error.reason === 'cancelled' || !isTrouble(job.error)) return job;
    const again = { ...options, idempotencyKey: `${options.idempotencyKey}-again` };
    const second = await this.#client.submit(submission, again);
    this.#second.add(second.job_id);
    return second;
  }

  wait(...args: Parameters<NoteburstClient['wait']>): Promise<NotebookResponse> {
    return this.#client.wait(...args);
  }

  events(...args: Parameters<NoteburstClient['events']>): ReturnType<NoteburstClient['events']> {
    return this.#client.events(...args);
  }

  pageOf(jobId: string): string {
    return this.#client.pageOf(jobId);
  }

  cancel(jobId: string, limit?: AbortSignal): Promise<NotebookResponse> {
    return this.#mayCancel() ? this.#client.cancel(jobId, limit) : this.#client.get(jobId, limit);
  }

  /** @throws {RetryLaterError} when another attempt may run what the service could not */
  assertRun(results: readonly CaseResult[]): void {
    const open = results.find((result) => isServiceTrouble(result) && !this.#isOver(result));
    if (open) throw new RetryLaterError(`The service could not run ${open.name}: ${open.failure?.message}`);
    const left = results.find(({ verdict }) => verdict === 'skipped');
    if (left) throw new RetryLaterError(`The service could not run all: ${left.name} was not begun`);
  }

  /** Whether it was lost twice. */
  #isOver({ failure, job_id: id }: CaseResult): boolean {
    return id !== undefined && this.#second.has(id) && !isUnanswered(failure);
  }
}

/** Whether it is the service that could not run it, and nothing that the suite asks for. */
export const isServiceTrouble = (result: CaseResult): boolean =>
  result.verdict === 'error' && !isAskedWrongly(result);

/** Whether it is not the job that has ended, but the service that did not answer. */
const isUnanswered = (failure: CaseResult['failure']): boolean =>
  failure?.reason === 'refused' || failure?.reason === 'unreachable';
