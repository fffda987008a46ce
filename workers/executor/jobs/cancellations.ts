import type { Redis } from 'ioredis';
import { CANCEL_CHANNEL } from '../../../lib/contract/job-keys.ts';
import type { Logger } from '../../../lib/logger.ts';
import { cancelledAmong } from '../../../lib/queue/verdict.ts';
import { JobCancelledError } from './errors.ts';

/**
 * Hears which of the running jobs are cancelled, over one connection for all of them. What is said while that is away
 * is lost, so running jobs are looked up when it is back, and whenever somebody asks for it.
 */
export class Cancellations {
  readonly #redis: Redis;
  readonly #log: Logger;
  readonly #running = new Map<string, AbortController>();
  #listener: Redis | undefined;

  constructor(redis: Redis, log: Logger) {
    this.#redis = redis;
    this.#log = log;
  }

  start(): void {
    const listener = this.#redis.duplicate({ connectionName: 'noteburst-cancel' });
    listener.on('error', (error: Error) => this.#log.debug({ err: error }, 'cancel connection'));
    listener.on('message', (_channel: string, jobId: string) => this.#cancel(jobId));
    listener.on('ready', () => {
      listener.subscribe(CANCEL_CHANNEL).then(
        () => this.check([...this.#running.keys()]),
        () => undefined, // it went again, and will be ready again
      );
    });
    this.#listener = listener;
  }

  /** @param running aborted when the job is cancelled, or was before */
  watch(jobId: string, running: AbortController): void {
    this.#running.set(jobId, running);
    void this.check([jobId]);
  }

  forget(jobId: string): void {
    this.#running.delete(jobId);
  }

  async check(jobIds: readonly string[]): Promise<void> {
    try {
      for (const jobId of await cancelledAmong(this.#redis, jobIds)) this.#cancel(jobId);
    } catch (error) {
      this.#log.debug({ err: error }, 'cancelled jobs not looked up');
    }
  }

  close(): void {
    this.#listener?.disconnect();
  }

  #cancel(jobId: string): void {
    this.#running.get(jobId)?.abort(new JobCancelledError('The job was cancelled'));
  }
}
