import { Webhook } from 'standardwebhooks';
import { vi } from 'vitest';
import { CALLBACK_EVENTS, showCallback, type CallbackRequest } from '../../lib/contract/callback.ts';
import type { CallbackDelivery } from '../../lib/contract/callback.ts';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { callbackWrites } from '../../lib/queue/callbacks.ts';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { workerRedis } from '../../lib/queue/redis.ts';
import { Courier, type CourierParts } from '../../workers/courier/courier.ts';
import { CourierMetrics } from '../../workers/courier/metrics.ts';
import {
  Outgoing,
  type OutgoingAnswer,
  type OutgoingMessage,
} from '../../workers/courier/outgoing/outgoing.ts';
import { WorkerBench } from './executor.ts';
import { API_URL } from './function-server.ts';
import { capturedLog } from './log.ts';
import type { RedisOfFile } from './redis.ts';

export const CALLBACK: CallbackRequest = {
  url: 'https://hooks.example.org/noteburst?key=query-canary',
  secret: `whsec_${Buffer.from('a secret that is a canary').toString('base64')}`,
  events: [...CALLBACK_EVENTS],
};

/** A message that was sent. */
export interface Sent {
  url: string;
  id: string;
  message: { type: string; timestamp: string; data: NotebookResponse };
  raw: string;
}

interface CourierOptions extends Pick<CourierParts, 'suites'> {
  url: string;
  lockMs: number;
  firstRetryMs: number;
}

/** Couriers on a queue of jobs whose runs are the test's, and a receiver that answers as the test likes. */
export class CourierBench implements AsyncDisposable {
  readonly jobs: WorkerBench;
  readonly courierQueue: string;
  /** Every message that was sent, oldest first. */
  readonly sent: Sent[] = [];
  readonly metrics = new CourierMetrics();
  readonly lines: string[];
  answer: (attempt: number) => Promise<OutgoingAnswer> = async () => ({ status: 204, retryAfter: undefined });
  readonly #file: RedisOfFile;
  readonly #log: ReturnType<typeof capturedLog>['log'];
  readonly #stack = new AsyncDisposableStack();

  /** @param courierQueue that of the file's functions when absent */
  constructor(file: RedisOfFile, courierQueue?: string) {
    this.#file = file;
    this.jobs = this.#stack.use(new WorkerBench(file));
    this.courierQueue = courierQueue ?? `courier-${this.jobs.queueName}`;
    ({ log: this.#log, lines: this.lines } = capturedLog());
  }

  /** @param url of the Redis, with its user */
  async courier({
    url = this.#file.url,
    lockMs = 500,
    firstRetryMs = 20,
    suites = { config: undefined, outgoing: new Outgoing([]), reportsUrl: '' },
  }: Partial<CourierOptions> = {}): Promise<Courier> {
    const redis = workerRedis(url).on('error', () => undefined);
    const config = {
      queueName: this.courierQueue,
      apiUrl: API_URL,
      resultRetentionSeconds: 60,
      lockMs,
      firstRetryMs,
    };
    const post = (to: string, message: OutgoingMessage) => this.#post(to, message);
    const { metrics } = this;
    const courier = new Courier({ config, redis, outgoing: { post }, suites, metrics, log: this.#log });
    this.#stack.defer(async () => {
      await courier.close(2_000);
      redis.disconnect();
    });
    courier.start();
    return courier;
  }

  /** A job whose end is to be told. */
  add(callback: Partial<CallbackRequest> = {}): Promise<string> {
    const whole = { ...CALLBACK, ...callback };
    return this.jobs.add({ callback: showCallback(whole) }, (id) =>
      callbackWrites(id, whole, this.courierQueue, 60),
    );
  }

  /** Waits until so many messages have been sent. @returns the newest of them */
  async until(count: number): Promise<Sent> {
    await vi.waitUntil(() => this.sent.length >= count, { timeout: 10_000, interval: 5 });
    return this.sent[count - 1] as Sent;
  }

  /** Waits until the telling of this job's end has come so far. */
  async delivery(id: string, state: CallbackDelivery['state']): Promise<CallbackDelivery> {
    const is = ({ delivery }: JobSnapshot) => delivery?.state === state;
    return (await this.jobs.jobThat(id, is, 10_000)).delivery as CallbackDelivery;
  }

  /** How many attempts came to this. */
  async counted(outcome: 'done' | 'retried' | 'failed'): Promise<number> {
    const { values } = await this.metrics.attempts.get();
    return values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0;
  }

  async #post(url: string, { headers, body }: OutgoingMessage): Promise<OutgoingAnswer> {
    const message = new Webhook(CALLBACK.secret).verify(body, headers) as Sent['message'];
    this.sent.push({ url, id: headers['webhook-id'] as string, message, raw: body });
    return this.answer(this.sent.length);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
