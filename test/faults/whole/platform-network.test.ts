import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { FaultProxy } from '../../support/fault-proxy.ts';
import { lasting } from '../notebooks.ts';
import { faultMatrix, type Cell } from '../matrix.ts';
import { elapsed, holdAt, onlyEnd, RECOVERY_MS } from '../steps.ts';
import type { World } from '../world.ts';

// The network between an executor and hub, lab, kernels and Gafaelfawr; its Redis is always there.

const STALL_MS = 5_000;
/** A platform that is away is asked again after a while, and kernels that were lost with it are started anew. */
const BOUND_MS = RECOVERY_MS + STALL_MS + 15_000;
const BEFORE_READY = ['s2', 's3'];

type Break = (network: FaultProxy) => Promise<void>;

const reset: Break = async (network) => network.cut();

const stall: Break = async (network) => {
  network.partition();
  await sleep(STALL_MS);
  network.heal();
};

/** What is asked for first once the executor goes on from the step; at s6 that is whether the kernel still lives. */
const NEXT_REQUEST: Record<string, string> = {
  s2: '/nb/hub/home',
  s3: '/server/progress',
  s5: 'PATCH ',
  s6: '',
  s9: 'DELETE /nb/hub/api/users/',
};

const dropReply =
  (at: string): Break =>
  (network) =>
    network.loseReplyTo(NEXT_REQUEST[at] as string);

/** Something happens to its connections while it is held at the step. */
const atStep = (fault: string, at: string, act: Break): Cell => ({
  fault: `platform: ${fault}`,
  at,
  promised: 'the job ends once; not a notebook error',
  timeoutMs: 90_000,
  async run(world: World) {
    const hold = holdAt(world, at);
    const submit = () => world.ledger.submit(lasting(1.5));
    if (BEFORE_READY.includes(at)) await submit();
    await world.executor(hold.env);
    if (!BEFORE_READY.includes(at)) {
      await world.healthy();
      await submit();
    }
    await hold.reached();
    const brokenAt = performance.now();
    const acted = act(world.platformProxy);
    hold.go();
    await acted;
    expect(await onlyEnd(world, BOUND_MS)).toMatchObject({ success: true });
    return elapsed(brokenAt);
  },
});

const onTheWayOut = (fault: string, act: Break): Cell => ({
  fault: `platform: ${fault}`,
  at: 's9',
  promised: 'backoff; no lab, token or lease is left',
  async run(world: World) {
    const hold = holdAt(world, 's9');
    const kept = await world.executor(hold.env);
    await world.healthy();
    kept.keep = false;
    kept.executor.process.kill('SIGTERM');
    await hold.reached();
    const brokenAt = performance.now();
    const acted = act(world.platformProxy);
    hold.go();
    await acted;
    await kept.executor.process.exited;
    expect(kept.executor.process.end).toBe('exit code 0');
    expect(await world.held()).toEqual([]);
    return elapsed(brokenAt);
  },
});

const STEPS = ['s2', 's3', 's5', 's6'];
const STALLS = `stalls for ${STALL_MS / 1_000} s`;

faultMatrix(
  [
    ...STEPS.map((at) => atStep('proxy resets', at, reset)),
    ...STEPS.map((at) => atStep(`proxy ${STALLS}`, at, stall)),
    ...STEPS.map((at) => atStep('proxy drops a reply', at, dropReply(at))),
    onTheWayOut('proxy resets', reset),
    onTheWayOut(`proxy ${STALLS}`, stall),
    onTheWayOut('proxy drops a reply', dropReply('s9')),
  ],
  { platformProxy: true },
);
