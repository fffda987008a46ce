import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { ExecutorStopsError } from '../../workers/executor/jobs/errors.ts';
import { WorkerBench } from '../support/executor.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
let bench: WorkerBench;

beforeEach(() => {
  bench = new WorkerBench(file);
});
afterEach(() => bench[Symbol.asyncDispose]());

const LOCK_MS = 600;
const state = async (id: string) => (await bench.queue.find(id))?.state;

/** A lab in which a notebook of alice's runs, while bob's job has been taken and is held. */
async function bobHeld(isolation: 'submitter' | 'lab') {
  const worker = await bench.worker({ isolation, concurrency: 3, lockMs: LOCK_MS });
  const alices = await bench.add({ owner: 'alice' });
  const alice = await bench.runsBegun(1);
  const bobs = await bench.add({ owner: 'bob' });
  await vi.waitUntil(() => bench.lines.some((line) => line.includes('job held until the lab is empty')), {
    timeout: 5_000,
    interval: 5,
  });
  expect(await state(bobs)).toBe('active');
  expect(bench.runs.map(({ job }) => job.data.owner)).toEqual(['alice']);
  return { worker, alices, alice, bobs };
}

/** Waits until the lock of the job has been renewed so often. */
async function renewals(id: string, count: number): Promise<void> {
  const seen = new Set<number>();
  await vi.waitUntil(
    async () => seen.add(await file.redis.pexpiretime(bench.key(`${id}:lock`))).size > count,
    { timeout: 5_000, interval: 5 },
  );
  expect([...seen]).not.toContain(-2);
}

describe('a lab for one submitter at a time', () => {
  test("runs another's notebook when it is empty, and takes nothing more until then", async () => {
    const { alices, alice, bobs } = await bobHeld('submitter');
    const more = await bench.add({ owner: 'alice' });
    // Long past its first lock.
    await renewals(bobs, 4);
    expect(await state(more)).toBe('waiting');
    alice.end({});
    const bob = await bench.runsBegun(2);
    expect(bob.job.id).toBe(bobs);
    expect(await state(alices)).toBe('ended');
    await bench.jobThat(more, ({ state }) => state === 'active');
    expect(bench.runs).toHaveLength(2);
    bob.end({});
    expect((await bench.runsBegun(3)).job.id).toBe(more);
  });

  test('runs several notebooks of one submitter at once', async () => {
    await bench.worker({ isolation: 'submitter' });
    await Promise.all([bench.add(), bench.add(), bench.add()]);
    await bench.runsBegun(3);
    expect(bench.runs.map(({ job }) => job.data.owner)).toEqual(['alice', 'alice', 'alice']);
  });

  test("begins another's notebook only when nothing goes on of the earlier ones", async () => {
    const vacated = Promise.withResolvers<void>();
    await bench.worker({ isolation: 'submitter', lockMs: LOCK_MS, vacated: () => vacated.promise });
    const alices = await bench.add({ owner: 'alice' });
    (await bench.runsBegun(1)).end({});
    await bench.ended(alices);
    const bobs = await bench.add({ owner: 'bob' });
    await bench.jobThat(bobs, ({ state }) => state === 'active');
    await renewals(bobs, 2);
    expect(bench.runs).toHaveLength(1);
    vacated.resolve();
    expect((await bench.runsBegun(2)).job.id).toBe(bobs);
  });

  test('waits for all that run, not for the first that ends', async () => {
    await bench.worker({ isolation: 'submitter' });
    await Promise.all([bench.add(), bench.add()]);
    await bench.runsBegun(2);
    const bobs = await bench.add({ owner: 'bob' });
    await bench.jobThat(bobs, ({ state }) => state === 'active');
    const [first, second] = bench.runs;
    first?.end({});
    await bench.ended(first?.job.id as string);
    await renewals(bobs, 1);
    expect(bench.runs).toHaveLength(2);
    second?.end({});
    expect((await bench.runsBegun(3)).job.id).toBe(bobs);
  });

  test('ends a job at once that is cancelled while it is held, and goes on', async () => {
    const { alice, bobs } = await bobHeld('submitter');
    await bench.queue.cancel((await bench.queue.find(bobs)) as JobSnapshot);
    expect((await bench.ended(bobs, 1_000)).outcome).toMatchObject({ error: { reason: 'cancelled' } });
    await bench.add({ owner: 'alice' });
    await bench.runsBegun(2);
    expect(bench.runs.map(({ job }) => job.data.owner)).toEqual(['alice', 'alice']);
    expect(alice.job.signal.aborted).toBe(false);
  });

  test('gives a held job back at once, unspent, when the executor stops', async () => {
    const { worker, alice, bobs } = await bobHeld('submitter');
    const drained = worker.drain(10_000, new ExecutorStopsError('stopping'));
    await bench.jobThat(bobs, ({ state }) => state === 'waiting', 1_000);
    expect(alice.job.signal.aborted).toBe(false);
    alice.end({});
    await drained;
    expect(bench.runs).toHaveLength(1);
    await bench.worker();
    await bench.runsBegun(2);
    expect(await bench.queue.find(bobs)).toMatchObject({ attempts: 1 });
  });

  test('leaves a held job alone whose lock is lost, and goes on', async () => {
    const { bobs } = await bobHeld('submitter');
    await file.redis.set(bench.key(`${bobs}:lock`), 'another', 'PX', 30_000);
    await vi.waitUntil(() => bench.lines.some((line) => line.includes('job left to another executor')), {
      timeout: 2_000,
      interval: 5,
    });
    expect(await state(bobs)).toBe('active');
    await bench.add({ owner: 'alice' });
    expect((await bench.runsBegun(2)).job.data.owner).toBe('alice');
  });

  test('ends a job without delay that must not be run again, whoever it is of', async () => {
    await bench.worker({ isolation: 'submitter' });
    await bench.add({ owner: 'alice' });
    await bench.runsBegun(1);
    const bobs = await bench.add({ owner: 'bob', lost_attempts: 5 });
    expect((await bench.ended(bobs, 1_000)).outcome).toMatchObject({ error: { reason: 'executor_lost' } });
  });
});

describe('a lab for one submitter in all its life', () => {
  test("is left when it is empty, for another's notebook, which goes back unspent", async () => {
    const { worker, alices, alice, bobs } = await bobHeld('lab');
    expect(worker.outgrown.aborted).toBe(false);
    alice.end({});
    await vi.waitUntil(() => worker.outgrown.aborted, { timeout: 2_000, interval: 5 });
    expect([await state(alices), await state(bobs)]).toEqual(['ended', 'waiting']);
    expect(worker.busy).toBe(0);
    // The next lab is bob's.
    await bench.worker({ isolation: 'lab' });
    expect((await bench.runsBegun(2)).job.id).toBe(bobs);
    expect(await bench.queue.find(bobs)).toMatchObject({ attempts: 1 });
  });

  test('is left at once when it was empty already', async () => {
    const worker = await bench.worker({ isolation: 'lab' });
    const alices = await bench.add({ owner: 'alice' });
    (await bench.runsBegun(1)).end({});
    await bench.ended(alices);
    const bobs = await bench.add({ owner: 'bob' });
    await vi.waitUntil(() => worker.outgrown.aborted, { timeout: 3_000, interval: 5 });
    expect(await state(bobs)).toBe('waiting');
    expect(bench.runs).toHaveLength(1);
  });
});

test('a lab for everybody runs notebooks of two submitters at once', async () => {
  await bench.worker({ isolation: 'none' });
  await bench.add({ owner: 'alice' });
  await bench.add({ owner: 'bob' });
  await bench.runsBegun(2);
  expect(bench.runs.map(({ job }) => job.data.owner).toSorted()).toEqual(['alice', 'bob']);
});
