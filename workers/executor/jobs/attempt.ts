import { jobEnded } from '../../../lib/contract/live-event.ts';
import { nbexecJobData, type NbexecOutcome } from '../../../lib/contract/nbexec-job.ts';
import { crashpoint } from '../../../lib/crashpoint.ts';
import type { Logger } from '../../../lib/logger.ts';
import { wakeWatchers } from '../../../lib/queue/live-events.ts';
import { cancelledOutcome, sealEnd } from '../../../lib/queue/verdict.ts';
import { attemptOf, onceBegun, refusal } from './attempts.ts';
import type { Cancellations } from './cancellations.ts';
import { ExecutorStopsError, JobLockLostError } from './errors.ts';
import { handBack, type HandBackParts } from './hand-back.ts';
import type { HeldJob } from './held-job.ts';
import { JobLock } from './job-lock.ts';
import type { TakenJob } from './job-queue.ts';
import type { LiveReport } from './live-report.ts';
import { reportOf } from './telling.ts';

export interface AttemptParts extends HandBackParts {
  cancellations: Cancellations;
  lockMs: number;
  /** Runs one job to its outcome, or throws {@link GiveBackError}. */
  run: (job: HeldJob) => Promise<NbexecOutcome>;
  /** Throws when the lease is over; asked before anything is committed or given back. */
  assertHeld: () => void;
  log: Logger;
}

/**
 * One job while this executor holds it: from the moment it was taken to its one end, or until it is given back or must
 * be left alone.
 */
export class Attempt {
  readonly #taken: TakenJob;
  readonly #parts: AttemptParts;
  readonly #number: number;
  readonly #log: Logger;
  readonly #lock: JobLock;
  readonly #abort = new AbortController();
  readonly #cancelled = new AbortController();
  readonly #live: LiveReport;
  /** Aborted when its notebook should not begin any more. */
  readonly over = AbortSignal.any([this.#abort.signal, this.#cancelled.signal]);
  /** How it ends without a lab, where it must not be begun once more. */
  readonly refusal: NbexecOutcome | undefined;
  #sealed: Promise<boolean> | undefined;

  constructor(taken: TakenJob, parts: AttemptParts) {
    const { id } = taken.job;
    this.#taken = taken;
    this.#parts = parts;
    this.#number = attemptOf(taken.job);
    this.#log = parts.log.child({ job_id: id, attempt: this.#number });
    this.refusal = refusal(taken.job);
    this.#live = reportOf(taken, parts.redis, () => this.#assertGoesOn(), this.#log);
    // A connection that is dead without saying so tells of no cancel.
    const onRenewed = () => void parts.cancellations.check([id]);
    this.#lock = new JobLock(parts.queue, taken, parts.lockMs, onRenewed, this.#log);
    this.#lock.lost.addEventListener('abort', () => this.abort(this.#lock.lost.reason), { once: true });
    parts.cancellations.watch(id, this.#cancelled);
  }

  get owner(): string {
    return this.#taken.job.data.owner;
  }

  /** Gives the job up: it goes back as the reason says, or is left alone. */
  abort(reason: unknown): void {
    this.#abort.abort(reason);
  }

  /** Never rejects: what happens to the job is settled here. */
  async run(): Promise<void> {
    try {
      this.#live.take({ type: 'job_started', attempt: this.#number });
      const outcome = await this.#commit(await this.#outcome());
      // Only now: whoever is woken by it must find the job ended.
      await this.#live.close(jobEnded(outcome.error, outcome.ipynb_error?.name));
    } catch (error) {
      await this.#handBack(this.#whyLeft(error));
      await this.#live.close();
      // Perhaps the end was committed, and only the answer lost.
      await wakeWatchers(this.#parts.redis, this.#taken.job.id).catch(() => undefined);
    } finally {
      this.#letGo();
    }
  }

  /** Gives the job back without having begun it. Never rejects. */
  async giveBack(): Promise<void> {
    await this.#handBack(this.#whyLeft(new ExecutorStopsError('The job was not begun')));
    this.#letGo();
  }

  async #outcome(): Promise<NbexecOutcome> {
    if (this.refusal) return this.refusal;
    this.#abort.signal.throwIfAborted();
    if (this.#cancelled.signal.aborted) return cancelledOutcome();
    return this.#parts.run(this.#held());
  }

  /** The job's one end. @returns how it ended */
  async #commit(run: NbexecOutcome): Promise<NbexecOutcome> {
    const { queue } = this.#parts;
    // By its run, which does that only while it goes on.
    const wasSealed = this.#sealed !== undefined;
    const mayEnd = run.error?.reason === 'cancelled' || (await this.#seal());
    const outcome = mayEnd ? run : asCancelled(run);
    // The lab's loss may be why a run failed. One that went well and was sealed before is not begun again for it.
    if (wasSealed && !outcome.error) this.#assertOurs();
    else this.#assertGoesOn();
    try {
      await queue.complete(this.#taken, outcome);
    } catch (error) {
      // The client sends a command again whose answer was lost, and it is refused the second time.
      if (!(await queue.hasEnded(this.#taken))) {
        throw new JobLockLostError('The end of the job was not committed', { cause: error });
      }
    }
    await crashpoint('s8');
    const how = outcome.error?.reason ?? (outcome.ipynb_error ? 'ipynb_error' : 'ok');
    this.#log.info({ outcome: how }, 'job ended');
    return outcome;
  }

  /** What stopped the run says more than how it stopped. */
  #whyLeft(error: unknown): unknown {
    if (!this.#lock.held) return this.#lock.lost.reason;
    return this.#abort.signal.aborted ? this.#abort.signal.reason : error;
  }

  #handBack(why: unknown): Promise<void> {
    return handBack(this.#taken, why, this.#parts, () => this.#assertOurs(), this.#log);
  }

  #letGo(): void {
    this.#parts.cancellations.forget(this.#taken.job.id);
    this.#lock[Symbol.dispose]();
  }

  #assertOurs(): void {
    this.#lock.assertHeld();
    this.#parts.assertHeld();
  }

  /** It is ours, and has not been given up. */
  #assertGoesOn(): void {
    this.#abort.signal.throwIfAborted();
    this.#assertOurs();
  }

  /** Whether the end may be committed, or else the job was cancelled before. */
  #seal(): Promise<boolean> {
    return (this.#sealed ??= sealEnd(this.#parts.redis, this.#taken.job.id, this.#taken.token));
  }

  #held(): HeldJob {
    const { job, token } = this.#taken;
    const data = nbexecJobData.parse(job.data);
    return {
      id: job.id,
      data,
      attemptId: token,
      enqueuedAtMs: job.timestamp,
      signal: this.#abort.signal,
      cancelled: this.#cancelled.signal,
      log: this.#log,
      reportProgress: (progress) => {
        if (this.#abort.signal.aborted) return;
        job
          .updateProgress(progress)
          .catch((error: unknown) => this.#log.debug({ err: error }, 'progress not written'));
      },
      markFirstCellStarted: async () => {
        this.#assertOurs();
        await this.#parts.queue.writeData(this.#taken, onceBegun(data));
      },
      tell: (event) => this.#live.take(event),
      seal: () => this.#seal(),
    };
  }
}

/** The cancel came first: it is how the job ends, with the notebook that there is. */
function asCancelled(outcome: NbexecOutcome): NbexecOutcome {
  const ended = { ...outcome, ...cancelledOutcome(outcome.error?.cell_index) };
  delete ended.ipynb_error;
  delete ended.traceback;
  return ended;
}
