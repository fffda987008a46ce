import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { RedisSetup } from '../../lib/config/redis-env.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { requestRedis, untilReady } from '../../lib/queue/redis.ts';
import type { Stack } from '../support/stack.ts';

/** A job that was accepted with 202, and how it was seen to have ended. */
export interface Entry {
  id: string;
  user: string;
  acceptedAtMs: number;
  end?: { job: NotebookResponse; seenAtMs: number };
}

const POLL_MS = 50;
const AT_ONCE = 8;

/**
 * The books of somebody outside who trusts nobody: what was accepted, what was seen to have ended and how, over HTTP
 * alone; and how often the queue told of each job's end.
 */
export class Ledger {
  readonly entries = new Map<string, Entry>();
  /** What must never be, in words. */
  readonly violations: string[] = [];
  /** HTTP statuses of refused submissions, with how often. */
  readonly refusals = new Map<number, number>();
  readonly #stack: Stack;
  readonly #redis: Redis;
  readonly #ends = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[];
  #lastEvent = '0';

  constructor(stack: Stack, redis: RedisSetup | string) {
    this.#stack = stack;
    this.#redis = requestRedis(redis);
    this.#redis.on('error', () => undefined);
    this.#loops = [this.#every(() => this.#look()), this.#every(() => this.#listen())];
  }

  /** @returns the id of an accepted job, or undefined when it was refused or nobody answered */
  async submit(
    ipynb: string,
    options: Record<string, unknown> = {},
    user = 'alice',
  ): Promise<string | undefined> {
    const headers = { 'Content-Type': 'application/json', ...(options['headers'] as object | undefined) };
    const body = JSON.stringify({ ipynb, ...options, headers: undefined });
    const signal = AbortSignal.timeout(15_000);
    const init = { method: 'POST', headers, body, signal };
    let status = 0;
    try {
      const response = await this.#stack.fetch('submit', '/v1/notebooks/', init, user);
      ({ status } = response);
      const text = await response.text();
      if (status === 202) return this.#accept((JSON.parse(text) as NotebookResponse).job_id, user);
    } catch {
      // Nobody knows whether it was taken: so it was not promised.
    }
    this.refusals.set(status, (this.refusals.get(status) ?? 0) + 1);
    return undefined;
  }

  /** Waits until every accepted job was seen to have ended. */
  async settled(timeoutMs: number): Promise<Entry[]> {
    const deadline = performance.now() + timeoutMs;
    while (this.open.length > 0) {
      if (performance.now() > deadline) {
        const open = this.open.map(({ id }) => id).join(', ');
        throw new Error(`not ended within ${timeoutMs} ms: ${this.open.length} jobs, ${open.slice(0, 400)}`);
      }
      await sleep(10);
    }
    return [...this.entries.values()];
  }

  get open(): Entry[] {
    return [...this.entries.values()].filter(({ end }) => !end);
  }

  /** Looks at every result once more: none lost, none changed, each end told of once. @returns violations */
  async audit(): Promise<string[]> {
    // A connection that was cut is soon there again.
    await untilReady(this.#redis, 10_000);
    await this.#listen();
    for (const { id, user, end } of this.entries.values()) {
      if (!end) this.violations.push(`${id}: lost, it has no end`);
      else {
        const now = await this.#stack.job(id, '', user);
        if (JSON.stringify(now) !== JSON.stringify(end.job))
          this.violations.push(`${id}: its result has changed`);
      }
      const ends = this.#ends.get(id) ?? 0;
      if (end && ends !== 1) this.violations.push(`${id}: the queue told ${ends} times that it ended`);
    }
    return [...new Set(this.violations)];
  }

  /** Redis has lost what came last: what ended may have to end once more, and was told of by events that are gone. */
  reopen(): void {
    for (const entry of this.entries.values()) delete entry.end;
    this.#ends.clear();
    this.#lastEvent = '0';
  }

  /** Closes these books and opens new ones. */
  clear(): void {
    this.entries.clear();
    this.violations.length = 0;
    this.refusals.clear();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
    this.#redis.disconnect();
  }

  #accept(id: string, user: string): string {
    if (this.entries.has(id)) this.violations.push(`${id}: given out twice`);
    this.entries.set(id, { id, user, acceptedAtMs: Date.now() });
    return id;
  }

  async #every(look: () => Promise<void>): Promise<void> {
    while (!this.#stop.signal.aborted) {
      // Whoever is being broken by a test may not answer.
      await look().catch(() => undefined);
      await sleep(POLL_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { open } = this;
    for (let n = 0; n < open.length; n += AT_ONCE) {
      await Promise.all(open.slice(n, n + AT_ONCE).map((entry) => this.#lookAt(entry)));
    }
  }

  async #lookAt(entry: Entry): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    const path = `/v1/notebooks/${entry.id}`;
    const response = await this.#stack.fetch('status', `${path}?result=false`, { signal }, entry.user);
    if (response.status === 404) this.violations.push(`${entry.id}: accepted, but nobody knows it`);
    if (response.status !== 200) return response.body?.cancel();
    const { status } = (await response.json()) as NotebookResponse;
    if (status !== 'complete') return;
    const job = await this.#stack.job(entry.id, '', entry.user);
    entry.end ??= { job, seenAtMs: Date.now() };
  }

  /** BullMQ keeps its last 10,000 events only: so they are read as they come. */
  async #listen(): Promise<void> {
    const key = `${KEY_PREFIX}:${this.#stack.queueName}:events`;
    for (;;) {
      const events = await this.#redis.xrange(key, `(${this.#lastEvent}`, '+', 'COUNT', 1_000);
      for (const [eventId, fields] of events) {
        this.#lastEvent = eventId;
        const field = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
        if (!['completed', 'failed'].includes(field('event'))) continue;
        this.#ends.set(field('jobId'), (this.#ends.get(field('jobId')) ?? 0) + 1);
      }
      if (events.length === 0) return;
    }
  }
}
