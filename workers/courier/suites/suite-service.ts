import { NoteburstError, RefusedError } from '../../../client/client-error.ts';
import type { NoteburstClient, Submission } from '../../../client/client.ts';
import type { NotebookResponse } from '../../../lib/contract/notebooks-api.ts';
import { isAskedWrongly, type CaseResult } from '../../../suite/report.ts';
import type { SuiteClient } from '../../../suite/run-suite.ts';
import { isTrouble } from '../../../suite/verdict.ts';
import type { Logger } from '../../../lib/logger.ts';
import { RetryLaterError } from '../errors.ts';
import type { Turns } from '../turns.ts';

export interface SuiteServiceParts {
  client: Pick<NoteburstClient, (keyof SuiteClient & keyof NoteburstClient) | 'get'>;
  /** Of all suites of the courier. */
  turns: Turns;
  /** Whether nobody would go on with what runs. */
  mayCancel: () => boolean;
  log: Logger;
}

/**
 * The service, as a suite uses it whose attempts may be several: what one has begun the next finds again. Answers with an executed
 * notebook may take as much memory as there is for a few of them, so that of all suites one at a time is read and dealt with.
 */
export class SuiteService implements SuiteClient {
  readonly #client: SuiteServiceParts['client'];
  readonly #turns: Turns;
  readonly #mayCancel: () => boolean;
  readonly #log: Logger;
  /** When the service was last found to be away, by who had waited for it as long as one does. */
  #away = { atMs: -1, error: undefined as unknown };
  /** The ids of jobs that take the place of some that were lost. */
  readonly #second = new Set<string>();

  constructor({ client, turns, mayCancel, log }: SuiteServiceParts) {
    this.#client = client;
    this.#turns = turns;
    this.#mayCancel = mayCancel;
    this.#log = log;
  }

  /** What was lost with its lab is submitted once more: it is nobody's fault, and yet it may lose the next lab, too. */
  async submit(
    submission: Submission,
    options: { idempotencyKey?: string; signal?: AbortSignal } = {},
  ): Promise<NotebookResponse> {
    const job = await this.#submit(submission, options);
    if (!job.error || job.error.reason === 'cancelled' || !isTrouble(job.error)) return job;
    const again = { ...options, idempotencyKey: `${options.idempotencyKey}-again` };
    const second = await this.#submit(submission, again);
    this.#second.add(second.job_id);
    return second;
  }

  /** One that has ended before is answered as a whole. */
  async #submit(submission: Submission, options: { signal?: AbortSignal }): Promise<NotebookResponse> {
    const submit = async () => {
      const { ipynb: _, partial_ipynb: __, ...job } = await this.#client.submit(submission, options);
      return job;
    };
    return this.#inTurn(submit, options.signal);
  }

  wait(jobId: string, options: { signal?: AbortSignal } = {}): Promise<NotebookResponse> {
    return this.#client.wait(jobId, { ...options, result: false });
  }

  whole<T>(jobId: string, use: (job: NotebookResponse) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#inTurn(async () => use(await this.#client.get(jobId, signal)), signal);
  }

  #inTurn<T>(act: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const askedMs = performance.now();
    return this.#turns.take(async () => {
      signal?.throwIfAborted();
      // Who has waited behind one that found it away has waited for it, too.
      if (askedMs < this.#away.atMs) throw this.#away.error;
      try {
        return await act();
      } catch (error) {
        if (isAway(error)) this.#away = { atMs: performance.now(), error };
        if (isTokenRefused(error)) this.#log.error({ err: error }, 'the service refuses the token of suites');
        throw error;
      }
    });
  }

  events(...args: Parameters<NoteburstClient['events']>): ReturnType<NoteburstClient['events']> {
    return this.#client.events(...args);
  }

  pageOf(jobId: string): string {
    return this.#client.pageOf(jobId);
  }

  cancel(jobId: string, limit?: AbortSignal): Promise<NotebookResponse> {
    return this.#mayCancel()
      ? this.#client.cancel(jobId, limit)
      : this.#client.get(jobId, limit, { result: false });
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

const isTokenRefused = (error: unknown): boolean =>
  error instanceof RefusedError && (error.status === 401 || error.status === 403);

/** Whether it is so for whatever it is asked. */
const isAway = (error: unknown): boolean =>
  error instanceof NoteburstError &&
  (!(error instanceof RefusedError) || error.status >= 500 || error.status === 429 || isTokenRefused(error));

/** Whether it is not the job that has ended, but the service that did not answer. */
const isUnanswered = (failure: CaseResult['failure']): boolean =>
  failure?.reason === 'refused' || failure?.reason === 'unreachable';
