import { expect } from 'vitest';
import type { FakeFailure } from '../support/fake-http.ts';
import type { PlatformAction } from '../support/fake-platform.ts';
import { quick } from './notebooks.ts';
import { faultMatrix, type Cell } from './matrix.ts';
import { elapsed, onlyEnd } from './steps.ts';
import type { World } from './world.ts';

type Failure = [name: string, failure: FakeFailure, times: number];

const FAILURES: Failure[] = [
  ['5xx', { status: 503 }, 2],
  ['429 with Retry-After', { status: 429, retryAfter: '1' }, 2],
  ['slow', { slowMs: 1_500 }, 2],
  ['resets', 'reset', 2],
  ['loses its answer', 'lost', 1],
];

/** The hub fails while the lab comes up. */
const whileSpawning = ([name, failure, times]: Failure, action: PlatformAction, small = false): Cell => ({
  fault: `hub: ${action} ${name}`,
  at: 's3',
  promised: 'backoff, honouring Retry-After; the job runs once',
  small,
  async run(world: World) {
    world.platform.failures.failOn(action, failure, times);
    await world.ledger.submit(quick());
    const begunAt = performance.now();
    await world.executor();
    expect(await onlyEnd(world, 30_000)).toMatchObject({ success: true, attempts: 1 });
    if (typeof failure === 'object' && 'retryAfter' in failure) {
      expect(elapsed(begunAt)).toBeGreaterThan(times * Number(failure.retryAfter) * 1_000);
    }
    return elapsed(begunAt);
  },
});

/** The hub fails while the lab is stopped on the way out. */
const whileStopping = ([name, failure, times]: Failure, small = false): Cell => ({
  fault: `hub: stop ${name}`,
  at: 's9',
  promised: 'backoff; no lab, token or lease is left',
  small,
  async run(world: World) {
    const kept = await world.executor();
    await world.healthy();
    world.platform.failures.failOn('stop', failure, times);
    kept.keep = false;
    kept.executor.process.kill('SIGTERM');
    const begunAt = performance.now();
    await kept.executor.process.exited;
    expect(kept.executor.process.end).toBe('exit code 0');
    expect(await world.held()).toEqual([]);
    return elapsed(begunAt);
  },
});

const ofGafaelfawr = ([name, failure, times]: Failure, action: PlatformAction): Cell => ({
  fault: `Gafaelfawr: ${action} ${name}`,
  at: 's2',
  promised: 'backoff; the lease is handed back meanwhile',
  async run(world: World) {
    world.platform.failures.failOn(action, failure, times);
    await world.ledger.submit(quick());
    const begunAt = performance.now();
    await world.executor();
    expect(await onlyEnd(world, 30_000)).toMatchObject({ success: true, attempts: 1 });
    return elapsed(begunAt);
  },
});

faultMatrix([
  ...FAILURES.map((failure, n) => whileSpawning(failure, 'spawn', n === 1)),
  ...FAILURES.slice(0, 3).map((failure) => whileSpawning(failure, 'home')),
  ...FAILURES.slice(0, 3).map((failure) => whileSpawning(failure, 'user')),
  whileSpawning(['cut', 'reset', 2], 'progress'),
  whileSpawning(['5xx', { status: 503 }, 2], 'lab'),
  whileSpawning(['5xx', { status: 503 }, 2], 'lab-api'),
  ...FAILURES.map((failure, n) => whileStopping(failure, n === 0)),
  ofGafaelfawr(['5xx', { status: 500 }, 1], 'token-list'),
  ofGafaelfawr(['5xx', { status: 500 }, 1], 'token-create'),
  ofGafaelfawr(['loses its answer', 'lost', 1], 'token-create'),
]);
