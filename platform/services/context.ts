import type { ManagedProcess } from '../process/managed-process.ts';
import type { ProcessRecord } from '../process/process-record.ts';
import type { statePaths } from '../state.ts';

/** What every service of one platform is started with. */
export interface ServiceContext {
  paths: ReturnType<typeof statePaths>;
  record: ProcessRecord;
  /** The environment all processes have in common (see base-env.ts). */
  env: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /** Told of each process as soon as it exists, ready or not, so that it is stopped whatever comes. */
  started(process: ManagedProcess): void;
}
