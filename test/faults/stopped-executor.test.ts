import { expect } from 'vitest';
import { lasting } from './notebooks.ts';
import { faultMatrix, type Cell } from './matrix.ts';
import { elapsed, ended, holdAt, onlyEnd } from './steps.ts';
import type { World } from './world.ts';

/** Stopped for longer than the TTL, it wakes up in the middle of what it did, and must not go on with it. */
const stopped = (at: string, attempts: number, small = false): Cell => ({
  fault: 'SIGSTOP executor past the TTL',
  at,
  promised:
    attempts === 1
      ? 'evicts itself on resume; its end stands'
      : 'evicts itself on resume; its late commit is refused',
  small,
  async run(world: World) {
    const hold = holdAt(world, at);
    const first = await world.executor(hold.env);
    await world.healthy();
    await world.executor();
    await world.ledger.submit(lasting(0.5));
    await hold.reached();
    const stoppedAt = performance.now();
    first.executor.process.kill('SIGSTOP');
    const job = await onlyEnd(world);
    const recoveryMs = elapsed(stoppedAt);
    expect(job).toMatchObject({ success: true, attempts });
    await world.healthy();

    hold.go();
    first.executor.process.kill('SIGCONT');
    expect(await ended(first)).toBe('exit code 1');
    return recoveryMs;
  },
});

faultMatrix([
  stopped('s4', 2),
  stopped('s5', 2),
  stopped('s6', 2, true),
  stopped('s7', 2, true),
  stopped('s8', 1),
]);
