import { expect } from 'vitest';
import { cellsOf, lasting, quick } from './notebooks.ts';
import { faultMatrix, type Cell } from './matrix.ts';
import { elapsed, holdAt, onlyEnd, until } from './steps.ts';
import type { World } from './world.ts';

/** Labs are looked at every 10 s; then kernels of one that is gone are given up, and another one is spawned. */
const NOTICED_MS = 15_000;

/** Something happens to the lab while the job is held at the step. */
const atStep = (
  cell: Pick<Cell, 'fault' | 'at' | 'promised' | 'small'>,
  act: (world: World) => void,
  expected: object,
  { replaced }: { replaced: boolean } = { replaced: false },
): Cell => ({
  ...cell,
  timeoutMs: 90_000,
  async run(world: World) {
    const hold = holdAt(world, cell.at);
    await world.executor(hold.env);
    await world.healthy();
    await world.ledger.submit(lasting(0.8));
    await hold.reached();
    const brokenAt = performance.now();
    const first = labOf(world);
    act(world);
    hold.go();
    expect(await onlyEnd(world, NOTICED_MS)).toMatchObject(expected);
    const recoveryMs = elapsed(brokenAt);
    if (replaced) await untilReplaced(world, first);
    return recoveryMs;
  },
});

const labOf = (world: World): string | undefined => world.platform.hub(world.bot).lab?.id;

async function untilReplaced(world: World, lab: string | undefined): Promise<void> {
  const started = world.platform.commands.filter(({ action }) => action === 'spawn').length;
  const respawned = () => world.platform.commands.filter(({ action }) => action === 'spawn').length > started;
  if (world.platform.commands.findLast(({ action }) => action === 'spawn')?.lab === lab) {
    await until(respawned, 'a new lab', NOTICED_MS);
  }
}

const gone = (
  fault: string,
  at: string,
  act: (world: World) => void,
  attempts: number,
  small = false,
): Cell =>
  atStep(
    { fault, at, promised: 'rerun in another lab; not a notebook error', small },
    act,
    { success: true, attempts },
    { replaced: true },
  );

const cull = (world: World): void => world.platform.hub(world.bot).cull();
const restart = (world: World): void => world.platform.hub(world.bot).restartLab();
const revoke = (world: World): void => world.platform.revoke(world.bot);

const killKernels = (world: World): void => {
  const lab = world.platform.hub(world.bot).lab;
  for (const id of lab?.kernels.keys() ?? []) lab?.killKernel(id);
};

const ends = (fault: string, source: string, reason: string, small = false): Cell => ({
  fault,
  at: 's6',
  promised: 'one terminal error with its reason; the next job is healthy',
  small,
  async run(world: World) {
    await world.executor();
    await world.healthy();
    const begunAt = performance.now();
    await world.ledger.submit(cellsOf("print('begun')", source, "print('never')"), { timeout: 1 });
    const job = await onlyEnd(world);
    expect(job).toMatchObject({ success: false, error: { reason }, attempts: 1 });
    expect(job.partial_ipynb).toContain('begun');
    await world.ledger.submit(quick());
    const [, next] = await world.ledger.settled(5_000);
    expect(next?.end?.job).toMatchObject({ success: true });
    return elapsed(begunAt);
  },
});

const revokedWhileIdle: Cell = {
  fault: 'token revoked',
  at: 'idle',
  promised: 'evict, fence anew; the job ends once',
  async run(world: World) {
    await world.executor();
    await world.healthy();
    const first = labOf(world);
    revoke(world);
    const revokedAt = performance.now();
    await world.ledger.submit(quick());
    expect(await onlyEnd(world)).toMatchObject({ success: true });
    await untilReplaced(world, first);
    return elapsed(revokedAt);
  },
};

faultMatrix([
  gone('lab culled', 's5', cull, 2),
  gone('lab culled', 's6', cull, 2),
  gone('lab culled', 's7', cull, 1),
  gone('lab restarted under us', 's5', restart, 2),
  gone('lab restarted under us', 's6', restart, 2, true),
  gone('lab restarted under us', 's7', restart, 1),
  atStep(
    { fault: 'kernel killed', at: 's6', promised: 'one terminal error with its reason', small: true },
    killKernels,
    { success: false, error: { reason: 'kernel_died' }, attempts: 1 },
  ),
  ends('os._exit', 'import os; os._exit(1)', 'kernel_died'),
  ends('endless loop', 'import time; time.sleep(600)', 'run_timeout', true),
  atStep(
    {
      fault: 'websocket cut',
      at: 's6',
      promised: 'reconnect and reconcile by msg_id, else rerun',
      small: true,
    },
    (world) => world.platform.cutWebsockets(),
    { success: true },
  ),
  atStep(
    {
      fault: 'websocket cut, and the next two',
      at: 's6',
      promised: 'reconnect and reconcile by msg_id, else rerun',
    },
    (world) => {
      world.platform.failures.failOn('websocket', 'reset', 2);
      world.platform.cutWebsockets();
    },
    { success: true },
  ),
  ...['s4', 's5', 's6', 's7'].map((at) =>
    atStep(
      { fault: 'token revoked', at, promised: 'evict, fence anew; the job ends once', small: at === 's6' },
      revoke,
      { success: true },
      { replaced: true },
    ),
  ),
  revokedWhileIdle,
]);
