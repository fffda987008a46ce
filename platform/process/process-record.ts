import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { isAlive, startTimeOf } from './identity.mjs';
import { endProcesses, sweepRun } from './leftovers.ts';

const Record = z.object({
  run: z.string(),
  processes: z.array(z.object({ name: z.string(), pid: z.int().positive(), start: z.string().optional() })),
});

/**
 * The processes that a platform has started, on disk, so that the next start can end what a `kill -9` left over. The
 * start time beside the pid makes sure that it is still the same process.
 */
export class ProcessRecord {
  readonly runId: string;
  readonly #path: string;
  readonly #processes = new Map<number, { name: string; pid: number; start?: string }>();

  constructor(path: string, runId: string) {
    this.#path = path;
    this.runId = runId;
    this.#write();
  }

  add(name: string, pid: number): void {
    const start = startTimeOf(pid);
    this.#processes.set(pid, { name, pid, ...(start !== undefined && { start }) });
    this.#write();
  }

  remove(pid: number): void {
    if (this.#processes.delete(pid)) this.#write();
  }

  /** Forgets the run, once nothing of it is left. */
  delete(): void {
    rmSync(this.#path, { force: true });
  }

  #write(): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    const temporary = `${this.#path}.${process.pid}`;
    writeFileSync(temporary, JSON.stringify({ run: this.runId, processes: [...this.#processes.values()] }));
    renameSync(temporary, this.#path);
  }
}

/** Ends what an earlier run on the same state folder left over; answers how many processes that were. */
export async function endLeftovers(recordPath: string, graceMs = 5_000): Promise<number> {
  const record = readRecord(recordPath);
  if (!record) return 0;
  const left = record.processes.filter(({ pid, start }) => isAlive(pid, start));
  await endProcesses(left, graceMs);
  const swept = await sweepRun(record.run, Math.min(graceMs, 2_000));
  rmSync(recordPath, { force: true });
  return left.length + swept;
}

function readRecord(path: string): z.infer<typeof Record> | undefined {
  try {
    return Record.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}
