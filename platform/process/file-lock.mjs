// A lock between processes of one machine, on a file. Plain JavaScript: see identity.mjs.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, startTimeOf } from './identity.mjs';

/**
 * @param {string} path
 * @returns {{ pid: number, start?: string } | undefined} the holder, if it is alive
 */
export function lockHolder(path) {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8'));
    return isAlive(holder.pid, holder.start) ? holder : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Takes the lock if nobody alive has it. The lock of a dead process is taken over.
 *
 * @param {string} path
 * @returns {(() => void) | undefined} releases the lock; undefined when somebody else has it
 */
export function tryLock(path) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(mine, JSON.stringify({ pid: process.pid, start: startTimeOf(process.pid) }));
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        // A link appears with its content, so no other process can read a half-written lock.
        linkSync(mine, path);
        return () => rmSync(path, { force: true });
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
      if (lockHolder(path)) return undefined;
      // Moving the stale lock aside has one winner; removing it could remove a lock taken in between.
      const aside = `${mine}.stale`;
      try {
        renameSync(path, aside);
      } catch {
        continue;
      }
      // Moved the lock of a living process after all, which was quicker than this one: put it back.
      if (lockHolder(aside)) {
        try {
          linkSync(aside, path);
        } catch {
          // A third process has it by now; the loop will see.
        }
      }
      rmSync(aside, { force: true });
    }
    return undefined;
  } finally {
    rmSync(mine, { force: true });
  }
}

/**
 * Waits for the lock.
 *
 * @param {string} path
 * @param {{ signal?: AbortSignal, onWait?: (pid: number) => void }} [options]
 * @returns {Promise<() => void>} releases the lock
 */
export async function waitForLock(path, { signal, onWait } = {}) {
  for (let waited = false; ; waited = true) {
    signal?.throwIfAborted();
    const release = tryLock(path);
    if (release) return release;
    if (!waited) onWait?.(lockHolder(path)?.pid ?? 0);
    await sleep(200, undefined, { signal });
  }
}
