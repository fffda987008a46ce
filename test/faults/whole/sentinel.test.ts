import { Redis } from 'ioredis';
import { expect } from 'vitest';
import type { TestRedisServer } from '../../support/redis-server.ts';
import { lasting, quick } from '../notebooks.ts';
import { faultMatrix, type Cell } from '../matrix.ts';
import { elapsed, holdAt, onlyEnd, RECOVERY_MS, until } from '../steps.ts';
import type { World } from '../world.ts';

/** Until the sentinels have agreed on another master, and its replicas follow it. */
const FAILOVER_MS = 15_000;

async function onNode<T>({ url }: TestRedisServer, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

/** From now on the master alone has what is written: its replicas are stopped, with nothing on its way to them. */
async function lag({ sentinels }: World): Promise<TestRedisServer[]> {
  const replicas = await sentinels.replicas();
  for (const replica of replicas) replica.freeze();
  await onNode(await sentinels.master(), (redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'replica'));
  return replicas;
}

/** The master dies with what it alone has; one of those that lag is the next one. */
async function failOver({ sentinels }: World, lagging: readonly TestRedisServer[]): Promise<void> {
  const old = await sentinels.master();
  await old.kill();
  for (const replica of lagging) replica.thaw();
  const next = await sentinels.failedOver(old);
  // What the sentinels would have done some seconds later: for the next case there are three nodes again.
  await onNode(next, (redis) => redis.config('SET', 'repl-diskless-sync-delay', '0'));
  await old.start();
  await onNode(old, (redis) => redis.replicaof('127.0.0.1', new URL(next.url).port));
  const followed = () => onNode(next, (redis) => redis.wait(2, 100));
  await until(async () => (await followed()) === 2, 'both others follow the new master', FAILOVER_MS);
}

/** Whoever was connected to the master of before may be refused once more. */
const accepted = (world: World, ipynb: string): Promise<void> =>
  until(async () => (await world.ledger.submit(ipynb)) !== undefined, 'it is accepted', FAILOVER_MS);

const FAULT = { fault: 'Sentinel failover under lag', timeoutMs: 120_000 };
const PROMISED = '503, or the job survives';

/** What no replica has is not accepted; what was accepted before ends. */
const submit: Cell = {
  ...FAULT,
  at: 'submit',
  promised: PROMISED,
  async run(world) {
    await world.executor();
    await world.healthy();
    await accepted(world, lasting(1));
    const lagging = await lag(world);
    const brokenAt = performance.now();
    expect(await world.ledger.submit(quick())).toBeUndefined();
    await failOver(world, lagging);
    await accepted(world, quick());
    expect([...world.ledger.refusals.keys()]).toEqual([503]);
    for (const { end } of await world.ledger.settled(RECOVERY_MS))
      expect(end?.job).toMatchObject({ success: true });
    return elapsed(brokenAt);
  },
};

/** The lock of its lease is lost, and another takes it while its holder believes to have it. */
const acquiring: Cell = {
  ...FAULT,
  at: 's1',
  promised: PROMISED,
  async run(world) {
    await accepted(world, quick());
    const lagging = await lag(world);
    const hold = holdAt(world, 's1');
    const first = await world.executor(hold.env);
    await hold.reached();
    const brokenAt = performance.now();
    await failOver(world, lagging);
    await world.executor();
    await world.healthy();
    hold.go();
    expect(await onlyEnd(world)).toMatchObject({ success: true, attempts: 1 });
    const recoveryMs = elapsed(brokenAt);
    // Only now it is told its epoch: too late for a lease that was taken before the failover.
    await until(() => first.executor.process.logTail(100).includes('not leased'), 'it notices');
    expect(first.ends).toEqual([]);
    return recoveryMs;
  },
};

/** That it was taken, and by whom, is lost: it waits once more. */
const fetching: Cell = {
  ...FAULT,
  at: 's4',
  promised: PROMISED,
  async run(world) {
    await accepted(world, lasting(0.3));
    const [spawned, fetched] = [holdAt(world, 's3'), holdAt(world, 's4')];
    const both = [spawned, fetched].map(({ env }) => env['NOTEBURST_CRASHPOINTS']).join(',');
    await world.executor({ NOTEBURST_CRASHPOINTS: both });
    await spawned.reached();
    const lagging = await lag(world);
    spawned.go();
    await fetched.reached();
    const brokenAt = performance.now();
    await failOver(world, lagging);
    fetched.go();
    expect(await onlyEnd(world)).toMatchObject({ success: true });
    return elapsed(brokenAt);
  },
};

/** Its end was seen, and is lost: nobody waits for a replica to have that. */
const committed: Cell = {
  ...FAULT,
  at: 's8',
  promised: 'the job survives: it runs once more when its end is lost',
  async run(world) {
    const [written, told] = [holdAt(world, 's7'), holdAt(world, 's8')];
    const both = [written, told].map(({ env }) => env['NOTEBURST_CRASHPOINTS']).join(',');
    await world.executor({ NOTEBURST_CRASHPOINTS: both });
    await world.healthy();
    await accepted(world, lasting(0.3));
    await written.reached();
    const lagging = await lag(world);
    written.go();
    await told.reached();
    expect(await onlyEnd(world)).toMatchObject({ success: true, attempts: 1 });
    const brokenAt = performance.now();
    await failOver(world, lagging);
    world.ledger.reopen();
    told.go();
    expect(await onlyEnd(world)).toMatchObject({ success: true, attempts: 2 });
    return elapsed(brokenAt);
  },
};

faultMatrix([submit, acquiring, fetching, committed], { sentinels: true });
