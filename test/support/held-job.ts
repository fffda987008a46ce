import { vi } from 'vitest';
import type { HeldJob } from '../../workers/executor/jobs/held-job.ts';
import { silentLog } from './log.ts';

/** A job as the worker hands it over. */
export function heldJob(changes: Partial<HeldJob> = {}) {
  return {
    id: 'nbexec-1',
    data: { version: 1, owner: 'alice', kernel_name: 'lsst', timeout_seconds: 60, enable_retry: true },
    attemptId: 'attempt-1',
    enqueuedAtMs: Date.now(),
    signal: new AbortController().signal,
    cancelled: new AbortController().signal,
    log: silentLog(),
    reportProgress: () => undefined,
    markFirstCellStarted: vi.fn(async () => undefined),
    tell: () => undefined,
    seal: vi.fn(async () => undefined),
    ...changes,
  } satisfies HeldJob;
}
