import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakePlatform } from '../support/fake-platform.ts';
import { ExecutorBench } from '../support/in-process-executor.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const NOTHING = { labs: 0, tokens: 0, lease: 0 };
let platform: FakePlatform;
let bench: ExecutorBench;

beforeAll(async () => void (platform = await FakePlatform.start()));
afterAll(() => platform[Symbol.asyncDispose]());
beforeEach(() => void (bench = new ExecutorBench(platform, file)));
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
  platform.failures.clear();
});

const ended = (id: string, timeout = 15_000) =>
  vi.waitUntil(async () => ((await bench.job(id))?.state === 'ended' ? bench.job(id) : false), {
    timeout,
    interval: 10,
  });

describe('an executor', () => {
  test('goes the whole way, counts each step, and leaves nothing behind', async () => {
    const { executor, until, ended: over, states, metrics } = await bench.executor();
    await until('ready');
    const id = await bench.submit("print('a')");
    expect((await ended(id))?.outcome?.error).toBeUndefined();
    await until('ready');
    executor.requestStop();
    await expect(over).resolves.toBeUndefined();
    expect(states()).toEqual(
      'acquiring fencing warming ready running ready draining stopping released'.split(' '),
    );
    const text = await metrics.registry.metrics();
    expect(text).toContain('noteburst_executor_state_transitions_total{from="ready",to="running"} 1');
    expect(text).toContain('noteburst_lab_spawn_seconds_count{outcome="ready"} 1');
    expect(await bench.left()).toEqual(NOTHING);
  });

  test.each([
    ['restarted', () => bench.hub.restartLab()],
    ['culled', () => bench.hub.cull()],
  ])(
    'whose lab is %s under it spawns another under the same lease, and its job is run again',
    async (_, lose) => {
      const { until, states } = await bench.executor();
      await until('ready');
      const id = await bench.submit("time.sleep(1.5); print('a')");
      await until('running');
      lose();
      await until('fencing');
      await until('ready');
      expect((await ended(id))?.outcome?.error).toBeUndefined();
      expect(states().filter((state) => state === 'acquiring')).toHaveLength(1);
    },
  );

  test('names the session of a job after it, and deletes kernels that are not its own', async () => {
    const { until, entries } = await bench.executor();
    await until('ready');
    const id = await bench.submit("time.sleep(2.5); print('a')");
    const stray = bench.hub.lab?.addSession('noteburst/1/stray');
    await vi.waitUntil(() => !bench.hub.lab?.sessions.has(stray?.id ?? ''), { timeout: 5_000, interval: 5 });
    const named = () => [...(bench.hub.lab?.sessions.values() ?? [])].filter(({ path }) => path.includes(id));
    await vi.waitUntil(() => named().length === 1, { timeout: 5_000, interval: 5 });
    const epoch = entries().find(({ epoch: seen }) => seen)?.['epoch'];
    expect(named()[0]?.path).toMatch(new RegExp(`^noteburst/${String(epoch)}/${id}/[\\w-]+$`));
    expect((await ended(id))?.outcome?.error).toBeUndefined();
  });
});

describe('an executor whose token is revoked', () => {
  test('gives its jobs back, is evicted, and fences anew with a higher epoch', async () => {
    const { until, states, evicted, metrics, entries } = await bench.executor();
    await until('ready');
    const id = await bench.submit("time.sleep(1.5); print('a')");
    await until('running');
    platform.revoke(bench.username);
    await until('evicted', 5_000).catch(() => undefined);
    await until('ready');
    expect((await ended(id))?.outcome?.error).toBeUndefined();
    expect(states()).toContain('evicted');
    expect(evicted).not.toHaveBeenCalled();
    expect(await metrics.registry.metrics()).toContain('{cause="token_refused"} 1');
    const epochs = [...new Set(entries().flatMap(({ epoch }) => (typeof epoch === 'number' ? [epoch] : [])))];
    expect(epochs).toHaveLength(2);
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
  });
});

describe('an epoch in the lab', () => {
  test('that is higher than the new one raises it, before the leftover lab is stopped', async () => {
    const ahead = Date.now() + 1e9;
    const first = await bench.executor();
    await first.until('ready');
    first.executor.requestStop();
    await first.ended;
    bench.hub.restartLab();
    bench.hub.lab?.addSession(`noteburst/${ahead}/job/attempt`);
    const second = await bench.executor();
    await second.until('ready');
    const epochs = [...(bench.hub.lab?.sessions.values() ?? [])].map(({ path }) => path.split('/')[1]);
    expect(new Set(epochs)).toEqual(new Set([String(ahead + 1)]));
  });

  test('that is higher, seen while serving, ends the executor, which touches nothing any more', async () => {
    const { until, ended: over, evicted, metrics } = await bench.executor();
    await until('ready');
    const newer = bench.hub.lab?.addSession(`noteburst/${Date.now() + 1e9}/theirs`);
    await expect(over).resolves.toMatchObject({ name: 'LeaseLostError', reason: 'newer_epoch' });
    expect(evicted).toHaveBeenCalledOnce();
    expect(bench.hub.lab?.sessions.has(newer?.id ?? '')).toBe(true);
    expect(await bench.left()).toMatchObject({ labs: 1, tokens: 1 });
    expect(await metrics.registry.metrics()).toContain('{cause="newer_epoch"} 1');
    bench.hub.cull();
    platform.revoke(bench.username);
  });
});

describe('asked to stop', () => {
  test.each([
    ['while it waits for an identity', 'waiting'],
    ['while the lab spawns', 'fencing'],
    ['while kernels are warmed', 'warming'],
    ['when ready', 'ready'],
  ] as const)('%s, it leaves nothing behind, in time', async (_, state) => {
    if (state === 'waiting')
      await file.redis.set(`{noteburst}:lease:${bench.username}`, 'other', 'PX', 60_000);
    if (state === 'fencing') bench.hub.spawnMs = 60_000;
    if (state === 'warming') platform.failures.failOn('websocket', 'hang', 9);
    const { executor, until, ended: over } = await bench.executor();
    await until(state);
    if (state === 'fencing') await vi.waitUntil(() => bench.hub.pending, { timeout: 5_000, interval: 5 });
    const begun = performance.now();
    executor.requestStop();
    await expect(over).resolves.toBeUndefined();
    expect(performance.now() - begun).toBeLessThan(8_000);
    if (state === 'waiting') await file.redis.del(`{noteburst}:lease:${bench.username}`);
    expect(await bench.left()).toEqual(NOTHING);
  });

  test('while a notebook runs, it gives it back unspent when the grace is over', async () => {
    const { executor, until, ended: over } = await bench.executor();
    await until('ready');
    const id = await bench.submit('time.sleep(60)');
    await until('running');
    executor.requestStop();
    await over;
    expect(await bench.job(id)).toMatchObject({ state: expect.not.stringMatching('ended') as unknown });
    expect((await bench.job(id))?.data.lost_attempts ?? 0).toBe(0);
    expect(await bench.left()).toEqual(NOTHING);
  });

  test('while it stops a lab, it goes on with that', async () => {
    const { executor, until, ended: over } = await bench.executor();
    await until('ready');
    bench.hub.stopMs = 500;
    executor.requestStop();
    await vi.waitUntil(() => bench.hub.pending === 'stop', { timeout: 8_000, interval: 2 });
    executor.requestStop();
    await over;
    expect(await bench.left()).toEqual(NOTHING);
  });

  test('it tries again what fails on the way out', async () => {
    const { executor, until, ended: over } = await bench.executor({}, { exitStepMs: 10_000 });
    await until('ready');
    platform.failures.failOn('stop', { status: 503 });
    platform.failures.failOn('user', 'reset');
    platform.failures.failOn('token-list', { status: 503 });
    platform.failures.failOn('token-delete', 'reset');
    executor.requestStop();
    await over;
    expect(await bench.left()).toEqual(NOTHING);
  });

  test('it ends in bounded time though hub and Gafaelfawr hang, and gives the lease back', async () => {
    const { executor, until, ended: over } = await bench.executor({}, { exitStepMs: 500 });
    await until('ready');
    for (const action of ['home', 'user', 'stop', 'token-list', 'lab-api'] as const) {
      platform.failures.failOn(action, 'hang', 20);
    }
    const begun = performance.now();
    executor.requestStop();
    await over;
    // Kernels have 5 s, and whoever waits for a job up to 2 s.
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(await bench.left()).toEqual({ labs: 1, tokens: 1, lease: 0 });
    platform.failures.clear();
    bench.hub.cull();
    platform.revoke(bench.username);
  });

  test.each(['ready', 'running'] as const)(
    'when %s, in the moment in which its token is revoked, it leaves nothing behind either',
    async (state) => {
      const { executor, until, ended: over } = await bench.executor();
      await until('ready');
      if (state === 'running') await bench.submit("time.sleep(0.6); print('a')");
      await until(state);
      executor.requestStop();
      platform.revoke(bench.username);
      await expect(over).resolves.toBeUndefined();
      expect(await bench.left()).toEqual(NOTHING);
    },
  );
});

describe('a hub that cannot spawn', () => {
  test('is left alone as long as it asks for, and the lease goes back meanwhile', async () => {
    platform.failures.failOn('home', { status: 503, retryAfter: '120' }, 2);
    const { executor, until, ended: over, entries } = await bench.executor();
    await until('released');
    expect(entries().find(({ pauseMs }) => pauseMs)?.['pauseMs']).toBe(120_000);
    expect(await bench.left()).toEqual(NOTHING);
    executor.requestStop();
    await over;
  });
});

test('a lab is replaced before its token ends, and the notebook that runs then is not lost', async () => {
  const { until, states } = await bench.executor({ NOTEBURST_WORKER_TOKEN_LIFETIME: '8' });
  await until('ready');
  // Given up after 4 s; until 7.2 s what runs may end.
  const id = await bench.submit("time.sleep(4.5); print('a')");
  await until('running');
  await until('draining');
  expect((await ended(id))?.outcome?.error).toBeUndefined();
  const runs = platform.commands.filter(
    (done) => done.action === 'execute' && done.username === bench.username,
  );
  expect(runs).toHaveLength(1);
  await until('ready');
  expect(states().filter((state) => state === 'fencing')).toHaveLength(2);
});
