import type { Redis } from 'ioredis';
import { describe, expect, test, vi } from 'vitest';
import { leaseRedis, requestRedis, untilReady, watchRedis, workerRedis } from '../../lib/queue/redis.ts';
import { WorkerBench } from '../support/executor.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();

async function connected(kind: (url: string) => Redis, stack: AsyncDisposableStack) {
  const proxy = stack.use(await FaultProxy.start(file.url));
  const redis = stack.adopt(kind(proxy.url), (client) => client.disconnect());
  redis.on('error', () => undefined);
  await untilReady(redis, 5_000);
  return { proxy, redis };
}

// These wait for real, at the same time.
describe.concurrent('a connection that is dead without saying so', () => {
  test.each([
    ['request', requestRedis, 5_000],
    ['lease', leaseRedis, 3_000],
  ])("fails a %s's command in time, and is replaced for the next", async (_, kind, timeoutMs) => {
    await using stack = new AsyncDisposableStack();
    const { proxy, redis } = await connected(kind, stack);
    proxy.stall();
    const begun = performance.now();
    await expect(redis.get('key')).rejects.toThrow(/timed out|max retries|closed/);
    expect(performance.now() - begun).toBeLessThan(timeoutMs + 1_000);
    await vi.waitUntil(() => redis.ping().catch(() => false), { timeout: 2_000, interval: 10 });
  });

  test.each([
    ['worker', workerRedis, (redis: Redis) => redis.ping()],
    ['watch', watchRedis, (redis: Redis) => redis.subscribe('channel')],
  ])('is replaced within 12 s for a %s, and what was asked is done', async (_, kind, ask) => {
    await using stack = new AsyncDisposableStack();
    const { proxy, redis } = await connected(kind, stack);
    proxy.stall();
    const begun = performance.now();
    await ask(redis);
    expect(performance.now() - begun).toBeLessThan(14_000);
  });

  test("does not cost an executor's job its attempt: it ends on another", async () => {
    await using stack = new AsyncDisposableStack();
    const proxy = stack.use(await FaultProxy.start(file.url));
    const bench = stack.use(new WorkerBench({ ...file, url: proxy.url }));
    const id = await bench.add();
    await bench.worker({ lockMs: 30_000 });
    const { end } = await bench.runsBegun(1);
    proxy.stall();
    end({});
    const ended = async () => (await file.redis.hexists(bench.key(id), 'finishedOn')) === 1;
    await vi.waitUntil(ended, { timeout: 14_000, interval: 20 });
    expect(bench.runs).toHaveLength(1);
    expect(await file.redis.hget(bench.key(id), 'stc')).toBeNull();
  });
});
