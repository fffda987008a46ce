import { expect } from 'vitest';
import { faultMatrix, type Cell } from '../matrix.ts';
import { cellsOf, lasting, quick } from '../notebooks.ts';
import { elapsed, ended, holdAt, onlyEnd, RECOVERY_MS } from '../steps.ts';
import { LEASE_TTL_MS, type World } from '../world.ts';

// A chosen part of the matrix once more, with a real JupyterHub, real labs and real kernels.

/** Labs and kernels take their time to come up, the more so several at once on two cores. */
const SLOWER_MS = 60_000;
const ON = 'real platform';

const killed = (at: string, attempts: number): Cell => ({
  fault: `${ON}: kill -9 executor`,
  at,
  promised: 'another holder within the TTL; ends once',
  timeoutMs: 180_000,
  async run(world: World) {
    const kept = await world.executor({ NOTEBURST_CRASHPOINTS: `${at}=kill` });
    await world.healthy(SLOWER_MS);
    await world.ledger.submit(lasting(0.5));
    expect(await ended(kept)).toBe('SIGKILL');
    const diedAt = performance.now();
    expect(await onlyEnd(world, SLOWER_MS)).toMatchObject({ success: true, attempts });
    return elapsed(diedAt);
  },
});

const stopped = (at: string): Cell => ({
  fault: `${ON}: SIGSTOP executor past the TTL`,
  at,
  promised: 'evicts itself on resume; its late commit is refused',
  timeoutMs: 180_000,
  async run(world: World) {
    const hold = holdAt(world, at);
    const first = await world.executor(hold.env);
    await world.healthy(SLOWER_MS);
    await world.executor();
    await world.ledger.submit(lasting(0.5));
    await hold.reached();
    const stoppedAt = performance.now();
    first.executor.process.kill('SIGSTOP');
    expect(await onlyEnd(world, SLOWER_MS)).toMatchObject({ success: true, attempts: 2 });
    const recoveryMs = elapsed(stoppedAt);
    hold.go();
    first.executor.process.kill('SIGCONT');
    expect(await ended(first)).toBe('exit code 1');
    return recoveryMs;
  },
});

const frozenRedis = (at: string): Cell => ({
  fault: `${ON}: SIGSTOP Redis past the TTL`,
  at,
  promised: 'self-eviction by the deadline; nothing lost',
  timeoutMs: 180_000,
  async run(world: World) {
    const hold = holdAt(world, at);
    const kept = await world.executor(hold.env);
    await world.healthy(SLOWER_MS);
    await world.ledger.submit(lasting(0.5));
    await hold.reached();
    world.redis.freeze();
    const frozenAt = performance.now();
    hold.go();
    expect(await ended(kept)).toBe('exit code 1');
    expect(elapsed(frozenAt)).toBeLessThan(LEASE_TTL_MS + RECOVERY_MS);
    world.redis.thaw();
    expect(await onlyEnd(world, SLOWER_MS)).toMatchObject({ success: true });
    return elapsed(frozenAt);
  },
});

/** The limit is the process's own, as there may be no cgroup here to limit it from outside. */
const OVER_ITS_LIMIT = `import resource
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
hog = bytearray(2**31)`;

/** What the system's OOM killer does to the process that has most. */
const OOM_KILLED = `import os, signal
hog = bytearray(2**28)
os.kill(os.getpid(), signal.SIGKILL)`;

const outOfMemory = (how: string, source: string, promised: string, expected: object): Cell => ({
  fault: `${ON}: kernel out of memory, ${how}`,
  at: 's6',
  promised,
  timeoutMs: 180_000,
  async run(world: World) {
    await world.executor();
    await world.healthy(SLOWER_MS);
    const begunAt = performance.now();
    await world.ledger.submit(cellsOf("print('begun')", source, "print('never')"));
    const job = await onlyEnd(world, SLOWER_MS);
    const recoveryMs = elapsed(begunAt);
    expect(job).toMatchObject({ ...expected, attempts: 1 });
    expect(job.ipynb ?? job.partial_ipynb).toContain('begun');
    await world.ledger.submit(quick());
    const [, next] = await world.ledger.settled(SLOWER_MS);
    expect(next?.end?.job).toMatchObject({ success: true });
    return recoveryMs;
  },
});

faultMatrix(
  [
    killed('s6', 2),
    killed('s8', 1),
    stopped('s7'),
    frozenRedis('s6'),
    outOfMemory(
      'told by malloc',
      OVER_ITS_LIMIT,
      'its MemoryError is the notebook’s; the next job is healthy',
      {
        success: true,
        ipynb_error: { name: 'MemoryError' },
      },
    ),
    outOfMemory('killed', OOM_KILLED, 'one terminal error with its reason; the next job is healthy', {
      success: false,
      error: { reason: 'kernel_died' },
    }),
  ],
  { on: 'real' },
);
