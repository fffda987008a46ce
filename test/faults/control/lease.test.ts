import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Redis } from 'ioredis';
import { KEY_PREFIX } from '../../../lib/contract/nbexec-job.ts';
import { Gafaelfawr } from '../../../lib/gafaelfawr.ts';
import { nextEpoch } from '../../../workers/executor/identity/fencing-epoch.ts';
import { IdentityLease } from '../../../workers/executor/identity/identity-lease.ts';
import { HubClient } from '../../../workers/executor/lab/hub-client.ts';
import { JupyterHttp } from '../../../workers/executor/lab/jupyter-http.ts';
import { LabApi } from '../../../workers/executor/lab/lab-api.ts';
import { Lab } from '../../../workers/executor/lab/lab.ts';
import { FakePlatform } from '../../support/fake-platform.ts';
import { ExecutorBench } from '../../support/in-process-executor.ts';
import { redisOfFile } from '../../support/redis.ts';
import { sharedLabs } from '../commanders.ts';

// As in queue.test.ts: each invariant with its guard, and without.
const GUARDS = [
  ['holds', true],
  ['is broken without its guard', false],
] as const;

const file = await redisOfFile();
let platform: FakePlatform;
let bench: ExecutorBench;
beforeAll(async () => void (platform = await FakePlatform.start()));
afterAll(() => platform[Symbol.asyncDispose]());
beforeEach(() => void (bench = new ExecutorBench(platform, file)));
afterEach(async () => {
  vi.restoreAllMocks();
  await bench[Symbol.asyncDispose]();
  platform.revoke(bench.username);
  bench.hub.cull();
  platform.forget();
});

/** A holder that was stopped for long, and goes on as if nothing had been: no deadline of its own keeps it back. */
async function oldHolder(epoch: number) {
  const { hubUrl, gafaelfawrUrl, adminToken } = platform;
  const { username } = bench;
  const expires = new Date(Date.now() + 600_000);
  const gafaelfawr = new Gafaelfawr(gafaelfawrUrl, adminToken);
  const token = await gafaelfawr.createServiceToken({ username, scopes: ['exec:notebook'], expires });
  const http = new JupyterHttp({ hubUrl, username, token });
  const signal = AbortSignal.timeout(10_000);
  const hub = new HubClient(http);
  await hub.login(signal);
  await hub.spawn({ selector: 'recommended' }, 'Small', signal);
  for await (const step of hub.progress(signal)) if (step.ready) break;
  const lab = await Lab.connect(new LabApi(http), signal);
  const start = (name: string) => lab.startSession('python3', `noteburst/${epoch}/${name}`, signal);
  await start('early');
  return { start, close: () => http.close() };
}

describe('I3, no lab command takes effect from an older epoch', () => {
  test.each(GUARDS)('%s: older tokens are deleted before the lab is used', async (_, guarded) => {
    const old = await oldHolder(7);
    if (!guarded) vi.spyOn(Gafaelfawr.prototype, 'deleteToken').mockResolvedValue();
    const { until } = await bench.executor();
    await until('ready');
    const tried = await old.start('late').catch(() => undefined);
    expect(tried !== undefined).toBe(!guarded);
    const shared = /start-session noteburst\/7\/late under epoch 7 in a lab of epoch \d+/;
    expect(sharedLabs(platform.commands).join()).toMatch(guarded ? /^$/ : shared);
    await old.close();
  });

  test.each(GUARDS)('%s: the lease is asked before each call of hub and lab', async (_, guarded) => {
    if (!guarded) vi.spyOn(IdentityLease.prototype, 'assertHeld').mockReturnValue();
    const { username, hub } = bench;
    const { states, lease } = await bench.executor();
    const { promise: taken, resolve: take } = Promise.withResolvers<number>();
    // While its lab came up it was stopped for so long that another has its identity, and has only begun to fence; it
    // wakes up before its timers do.
    hub.onSpawned = () => {
      lease.disconnect();
      const now = Date.now.bind(Date);
      vi.spyOn(Date, 'now').mockImplementation(() => now() + 60_000);
      take(nextEpoch(file.redis, username));
    };
    const newer = await taken;
    await vi.waitUntil(() => states().some((state) => ['evicted', 'ready'].includes(state)), {
      timeout: 10_000,
      interval: 2,
    });
    const late = platform.commands.filter(({ action }) => action === 'start-session');
    for (const { path } of late) expect(Number(path?.split('/')[1])).toBeLessThan(newer);
    expect(late.length > 0).toBe(!guarded);
  });
});

describe('I4, epochs rise', () => {
  /** Redis whose script knows nothing but the time. */
  const forgetful = (redis: Redis): Redis =>
    new Proxy(redis, {
      get: (target, name) =>
        name === 'eval'
          ? () => target.eval("return redis.call('TIME')[1] .. '000'", 0)
          : (Reflect.get(target, name) as unknown),
    });

  test.each(GUARDS)('%s: the stored one counts when clocks are set back', async (_, guarded) => {
    const ahead = Date.now() + 1e9;
    await file.redis.set(`${KEY_PREFIX}:epoch:${bench.username}`, ahead);
    const next = await nextEpoch(guarded ? file.redis : forgetful(file.redis), bench.username);
    expect(next > ahead).toBe(guarded);
  });

  test.each(GUARDS)('%s: what was seen in the lab counts when the stored one is lost', async (_, guarded) => {
    const ahead = Date.now() + 1e9;
    const redis = guarded ? file.redis : forgetful(file.redis);
    const next = await nextEpoch(redis, bench.username, ahead + 1);
    expect(next > ahead).toBe(guarded);
  });
});

describe('I8, on release lab and tokens are gone', () => {
  const leftAfter = async () => {
    const { executor, until, ended } = await bench.executor();
    await until('ready');
    executor.requestStop();
    await ended;
    return bench.left();
  };

  test('holds', async () => {
    expect(await leftAfter()).toEqual({ labs: 0, tokens: 0, lease: 0 });
  });

  test('is broken where tokens are not deleted', async () => {
    vi.spyOn(Gafaelfawr.prototype, 'deleteToken').mockResolvedValue();
    expect((await leftAfter()).tokens).toBeGreaterThan(0);
  });

  test('is broken where the lab is not stopped', async () => {
    vi.spyOn(HubClient.prototype, 'stopLab').mockResolvedValue(false);
    expect(await leftAfter()).toMatchObject({ labs: 1 });
  });
});
