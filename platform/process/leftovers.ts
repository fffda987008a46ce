import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, startTimeOf } from './identity.mjs';

/**
 * Every process of a platform inherits this variable with the platform's run id as its value: labs, kernels and what
 * notebooks start, too, which leave their process group and lose their parent.
 */
export const RUN_VARIABLE = 'NOTEBURST_PLATFORM_RUN';

export interface ProcessId {
  pid: number;
  start?: string | undefined;
}

/** The processes that carry the run id. Where there is no /proc (macOS) there is nothing to find them by: none. */
export function processesOfRun(runId: string): ProcessId[] {
  const wanted = `${RUN_VARIABLE}=${runId}`;
  const found: ProcessId[] = [];
  for (const name of listProc()) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      const start = startTimeOf(pid);
      if (environment.includes(wanted) && start !== undefined) found.push({ pid, start });
    } catch {
      // Gone meanwhile, or another user's.
    }
  }
  return found;
}

function listProc(): string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

/** SIGTERM, a grace, SIGKILL: by pid, and only while it is still the process that was meant. */
export async function endProcesses(processes: readonly ProcessId[], graceMs = 2_000): Promise<void> {
  const alive = (): ProcessId[] => processes.filter(({ pid, start }) => isAlive(pid, start));
  signalAll(alive(), 'SIGTERM');
  for (let waited = 0; waited < graceMs && alive().length > 0; waited += 50) await sleep(50);
  signalAll(alive(), 'SIGKILL');
  for (let waited = 0; waited < 2_000 && alive().length > 0; waited += 50) await sleep(50);
}

function signalAll(processes: readonly ProcessId[], signal: NodeJS.Signals): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, signal);
    } catch {
      // Gone meanwhile.
    }
  }
}

/** Ends whatever of a run is left, also what is started while this happens. */
export async function sweepRun(runId: string, graceMs?: number): Promise<number> {
  let ended = 0;
  for (let round = 0; round < 5; round++) {
    const left = processesOfRun(runId);
    if (left.length === 0) break;
    ended += left.length;
    await endProcesses(left, graceMs);
  }
  return ended;
}
