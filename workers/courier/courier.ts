import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suitesQueueOf } from '../../lib/contract/courier-job.ts';
import type { Logger } from '../../lib/logger.ts';
import { ATTEMPT_TIMEOUT_MS, deliverer } from './callbacks/deliver.ts';
import { startHandingOver } from './callbacks/hand-over.ts';
import type { CourierConfig } from './config.ts';
import { CourierQueue, type CourierHandler } from './courier-queue.ts';
import type { CourierMetrics } from './metrics.ts';
import type { Outgoing } from './outgoing/outgoing.ts';
import type { SuiteHandlers, SuitesParts } from './suites/suites.ts';

export interface CourierParts {
  config: Pick<CourierConfig, 'queueName' | 'apiUrl' | 'resultRetentionSeconds' | 'lockMs' | 'firstRetryMs'>;
  /** One that waits for Redis. */
  redis: Redis;
  /** For callbacks. */
  outgoing: Pick<Outgoing, 'post'>;
  suites: Pick<SuitesParts, 'config' | 'outgoing' | 'reportsUrl'>;
  metrics: CourierMetrics;
  log: Logger;
}

/** They wait for others most of the time. */
const SLOTS = 20;
/** A suite has one for as long as it runs, and reads files of others meanwhile. */
const SUITE_SLOTS = 3;

/** What goes on is given the time of an attempt to end, and Redis a moment to hear of it. */
export const CLOSE_MS = ATTEMPT_TIMEOUT_MS + 5_000;

/** Does what leaves the platform outside of a lab, or takes longer than a request: it delivers callbacks, and runs the suites of repositories. */
export class Courier {
  readonly #queue: CourierQueue<'callback' | 'schedules'>;
  readonly #suites: CourierQueue<'suite'>;
  readonly #parts: CourierParts;
  readonly #stop = new AbortController();
  #handingOver: Promise<void> = Promise.resolve();

  constructor(parts: CourierParts) {
    const { config, redis, outgoing, suites, metrics, log } = parts;
    const { resultRetentionSeconds: retentionSeconds } = config;
    const add = (id: string, data: object) => this.#suites.add('suite', id, data);
    // With the first of them: most couriers have none, and it is as much code as all the rest.
    let loaded: Promise<SuiteHandlers> | undefined;
    const suiteHandlers = () =>
      (loaded ??= import('./suites/suites.ts').then((module) =>
        module.suiteHandlers({ ...suites, redis, add, log }),
      ));
    const schedules: CourierHandler = async (task) => (await suiteHandlers()).schedules(task);
    const suite: CourierHandler = async (task) => (await suiteHandlers()).suite(task);
    const common = { ...config, redis, metrics, log };
    this.#parts = parts;
    this.#queue = new CourierQueue({
      ...common,
      handlers: { callback: deliverer({ redis, outgoing, retentionSeconds }), schedules },
      slots: SLOTS,
    });
    const queueName = suitesQueueOf(config.queueName);
    this.#suites = new CourierQueue({ ...common, queueName, handlers: { suite }, slots: SUITE_SLOTS });
  }

  start(): void {
    const { config, redis, metrics, log } = this.#parts;
    const { queueName, apiUrl, resultRetentionSeconds: retentionSeconds } = config;
    const parts = { redis, queueName, queue: this.#queue, apiUrl, retentionSeconds, metrics, log };
    this.#queue.start();
    this.#suites.start();
    this.#handingOver = startHandingOver(parts, this.#stop.signal);
  }

  /**
   * Takes no more jobs and lets those that are being done end. Never rejects.
   *
   * @returns whether all of it has ended in time; what has not is done again by another courier
   */
  async close(withinMs = CLOSE_MS): Promise<boolean> {
    this.#stop.abort();
    const { log } = this.#parts;
    const over = new AbortController();
    const late = sleep(withinMs, false, { signal: over.signal }).catch(() => false);
    const closed = Promise.all([this.#handingOver, this.#queue.close(), this.#suites.close()]).then(
      () => true,
      (error: unknown) => {
        log.warn({ err: error }, 'closing');
        return false;
      },
    );
    const inTime = await Promise.race([closed, late]);
    over.abort();
    if (!inTime) log.warn('what is being done is left to another courier');
    return inTime;
  }
}
