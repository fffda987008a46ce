import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { lasting, quick } from './notebooks.ts';
import { faultMatrix, type Cell } from './matrix.ts';
import { elapsed, holdAt, onlyEnd, RECOVERY_MS } from './steps.ts';
import { LEASE_TTL_MS, type Kept, type World } from './world.ts';

const PROMISED = 'one job, one result';

/** The answer to a request of the functions is thrown away, with its connection. */
const submitLoses = (what: string, request: string, small = false): Cell => ({
  fault: `proxy drops the reply to ${what}`,
  at: 'submit',
  promised: PROMISED,
  small,
  async run(world: World) {
    await world.executor();
    await world.healthy();
    const lost = world.functionProxy.loseReplyTo(request);
    const begunAt = performance.now();
    const first = await world.ledger.submit(quick());
    await lost;
    // Refused or not, whoever asks again is served.
    if (first === undefined) expect(await world.ledger.submit(quick())).toBeDefined();
    expect([...world.ledger.refusals.keys()].filter((status) => status !== 503)).toEqual([]);
    expect(await onlyEnd(world)).toMatchObject({ success: true, attempts: 1 });
    return elapsed(begunAt);
  },
});

const executorLoses = (at: string, request: string, small = false): Cell => ({
  fault: 'proxy drops a reply',
  at,
  promised: PROMISED,
  small,
  async run(world: World) {
    const { proxy } = await world.executor();
    await world.healthy();
    const lost = proxy.loseReplyTo(request);
    await world.ledger.submit(lasting(0.2));
    await lost;
    const lostAt = performance.now();
    expect(await onlyEnd(world)).toMatchObject({ success: true });
    return elapsed(lostAt);
  },
});

/** Something happens to the executor's connections to Redis while it is held at the step. */
const atStep = (fault: string, at: string, act: (kept: Kept) => Promise<void>, small = false): Cell => ({
  fault,
  at,
  promised: PROMISED,
  small,
  async run(world: World) {
    const hold = holdAt(world, at);
    const kept = await world.executor(hold.env);
    await world.healthy();
    await world.ledger.submit(lasting(0.2));
    await hold.reached();
    const brokenAt = performance.now();
    const acted = act(kept);
    hold.go();
    await acted;
    expect(await onlyEnd(world, RECOVERY_MS + 2_000)).toMatchObject({ success: true });
    return elapsed(brokenAt);
  },
});

const reset = async ({ proxy }: Kept): Promise<void> => proxy.cut();

const stalled =
  (ms: number) =>
  async ({ proxy }: Kept): Promise<void> => {
    proxy.partition();
    await sleep(ms);
    proxy.heal();
  };

const SHORT_MS = 1_000;
const LONG_MS = LEASE_TTL_MS + 2_000;
const STEPS = ['s4', 's5', 's6', 's7', 's8'];

faultMatrix([
  submitLoses('the add of a job', '\r\nexec\r\n', true),
  executorLoses('s4', ':limiter'),
  executorLoses('s8', ':completed', true),
  ...STEPS.map((at) => atStep('proxy resets', at, reset, at === 's7')),
  ...STEPS.map((at) => atStep(`proxy stalls for ${SHORT_MS / 1_000} s`, at, stalled(SHORT_MS))),
  ...STEPS.map((at) => atStep(`proxy stalls for ${LONG_MS / 1_000} s`, at, stalled(LONG_MS), at === 's7')),
]);
