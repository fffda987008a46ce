import { existsSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { LEASE_TTL_MS, LOCK_MS, type Kept, type World } from './world.ts';

/** A new process, the TTL of the lease, fencing and spawn; then up to three times the lock for the job itself. */
export const RECOVERY_MS = 5_000 + LEASE_TTL_MS + 3 * LOCK_MS;

/** A crash point at which the executor waits until it may go on. */
export interface Hold {
  env: Record<string, string>;
  reached: () => Promise<void>;
  go: () => void;
}

export function holdAt(world: World, at: string): Hold {
  const path = world.newHold();
  return {
    env: { NOTEBURST_CRASHPOINTS: `${at}=pause:${path}` },
    reached: () => until(() => existsSync(`${path}.reached`), `${at} is reached`),
    go: () => writeFileSync(path, ''),
  };
}

export async function until(is: () => unknown, what: string, timeoutMs = 20_000): Promise<void> {
  await expect.poll(is, { timeout: timeoutMs, interval: 5, message: what }).toBeTruthy();
}

/** Waits until a process of it has ended. @returns how */
export async function ended(kept: Kept, count = 1): Promise<string> {
  await until(() => kept.ends.length >= count, 'the executor ends');
  return kept.ends[count - 1] as string;
}

/** Waits for the end of the only job there is. @returns it as its caller sees it */
export async function onlyEnd(world: World, timeoutMs = RECOVERY_MS): Promise<NotebookResponse> {
  const entries = await world.ledger.settled(timeoutMs);
  const end = entries[0]?.end;
  if (!end || entries.length > 1) throw new Error(`${entries.length} jobs were accepted, not one`);
  return end.job;
}

/** @param since performance.now() of the fault */
export const elapsed = (since: number): number => performance.now() - since;
