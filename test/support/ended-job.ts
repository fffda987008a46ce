import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import type { MemoryParts } from './function-server.ts';
import { ipynb } from './notebooks.ts';

export const RESULT = '{"the": "result"}';

/** Puts a job of alice's there, with its submitted and its executed notebook: one that has ended, if nothing else is said. */
export function putJob(parts: MemoryParts, id: string, rest: Partial<JobSnapshot> = {}): void {
  parts.sources.set(id, ipynb());
  parts.results.set(`${id}/r1`, RESULT);
  const data = { version: 1, owner: 'alice', kernel_name: 'lsst', timeout_seconds: 300, enable_retry: true };
  const ended = { state: 'ended', finishedAtMs: 3, outcome: { result_id: 'r1' } } as const;
  const begun = { id, data: { ...data, version: 1 } as const, enqueuedAtMs: 1, startedAtMs: 2 };
  parts.jobs.set(id, { ...begun, ...(rest.state === undefined ? ended : {}), state: 'ended', ...rest });
}
