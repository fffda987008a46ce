import type { Redis } from 'ioredis';
import { eventsChannel } from '../contract/job-keys.ts';
import type { WakeKind } from './live-events.ts';

/** Why a watcher was woken: `timeout` when its caller has gone, too, `closed` when the process is about to end. */
export type Woken = WakeKind | 'timeout' | 'closed';

/** One watcher of one job, to be disposed of. What happens between two calls of `woken` is not lost. */
export interface Watcher extends Disposable {
  /** Whether everything that happens from now on will be noticed. */
  readonly isSubscribed: boolean;
  /** Waits for that. What is to be known of the time before must be looked up after it. */
  subscribed(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** Waits until something happens to the job. */
  woken(timeoutMs: number, signal: AbortSignal): Promise<Woken>;
}

/**
 * Wakes those who wait for a job, by Redis's publish and subscribe: one connection for all of them, made with the
 * first. While it is away nobody is woken; when it is back all are, as something may have been missed.
 */
export class JobWatch {
  readonly #connect: () => Redis;
  readonly #maxWatchers: number;
  readonly #watchers = new Map<string, Set<WatcherOfJob>>();
  #redis: Redis | undefined;
  #count = 0;
  #closed = false;

  /** @param connect makes a client that waits for Redis; it becomes this object's to close */
  constructor(connect: () => Redis, maxWatchers: number) {
    this.#connect = connect;
    this.#maxWatchers = maxWatchers;
  }

  /** How many wait now. */
  get count(): number {
    return this.#count;
  }

  /** @returns undefined when too many wait already */
  watch(jobId: string): Watcher | undefined {
    if (this.#closed || this.#count >= this.#maxWatchers) return undefined;
    this.#redis ??= this.#connected();
    const channel = eventsChannel(jobId);
    const watchers = this.#watchers.get(channel) ?? new Set();
    this.#watchers.set(channel, watchers);
    const subscription = this.#redis.subscribe(channel);
    const watcher = new WatcherOfJob(subscription, () => this.#leave(channel, watcher));
    watchers.add(watcher);
    this.#count++;
    return watcher;
  }

  /** Sends everybody home, who must look for themselves what became of their job. */
  close(): void {
    this.#closed = true;
    for (const watcher of this.#all()) watcher.close();
    this.#redis?.disconnect();
  }

  #connected(): Redis {
    const redis = this.#connect();
    redis.on('message', (channel: string, kind: string) => {
      for (const watcher of this.#watchers.get(channel) ?? []) watcher.wake(kind === 'more' ? 'more' : 'end');
    });
    let away = false;
    redis.on('close', () => (away = true));
    redis.on('ready', () => {
      const channels = [...this.#watchers.keys()];
      if (!away || channels.length === 0) return;
      // ioredis does so by itself, but does not say when it has been done.
      redis.subscribe(...channels).then(
        () => this.#all().forEach((watcher) => watcher.wake('end')),
        () => undefined, // the connection went again, and there will be another
      );
    });
    return redis;
  }

  #all(): WatcherOfJob[] {
    return [...this.#watchers.values()].flatMap((watchers) => [...watchers]);
  }

  #leave(channel: string, watcher: WatcherOfJob): void {
    const watchers = this.#watchers.get(channel);
    if (!watchers?.delete(watcher)) return;
    this.#count--;
    if (watchers.size > 0) return;
    this.#watchers.delete(channel);
    if (!this.#closed) this.#redis?.unsubscribe(channel).catch(() => undefined);
  }
}

class WatcherOfJob implements Watcher {
  isSubscribed = false;
  readonly #subscription: Promise<boolean>;
  readonly #leave: () => void;
  #pending: WakeKind | undefined;
  #resume: (() => void) | undefined;
  #closed = false;

  constructor(subscription: Promise<unknown>, leave: () => void) {
    this.#subscription = subscription.then(
      () => (this.isSubscribed = true),
      () => false,
    );
    this.#leave = leave;
  }

  async subscribed(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    return (await this.#within(this.#subscription, timeoutMs, signal)) ?? false;
  }

  async woken(timeoutMs: number, signal: AbortSignal): Promise<Woken> {
    if (this.#pending === undefined && !this.#closed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#resume = resolve;
      await this.#within(promise, timeoutMs, signal);
      this.#resume = undefined;
    }
    if (this.#closed) return 'closed';
    const woken = this.#pending ?? 'timeout';
    this.#pending = undefined;
    return woken;
  }

  wake(kind: WakeKind): void {
    if (this.#pending !== 'end') this.#pending = kind;
    this.#resume?.();
  }

  close(): void {
    this.#closed = true;
    this.wake('end');
  }

  [Symbol.dispose](): void {
    this.#leave();
  }

  /** The promise's value, or undefined when time or caller have gone. */
  async #within<T>(promise: Promise<T>, timeoutMs: number, signal: AbortSignal): Promise<T | undefined> {
    if (signal.aborted) return undefined;
    const over = Promise.withResolvers<undefined>();
    const end = () => over.resolve(undefined);
    const timer = setTimeout(end, timeoutMs);
    signal.addEventListener('abort', end, { once: true });
    try {
      return await Promise.race([promise, over.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }
}
