import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's own folder. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Where `npm start` keeps what it sets up and what it remembers. */
export const DEFAULT_STATE_DIR = join(ROOT, '.platform');

/** What is where below a state folder. */
export const statePaths = (stateDir: string) => ({
  logs: join(stateDir, 'logs'),
  redis: join(stateDir, 'redis'),
  homes: join(stateDir, 'homes'),
  hub: join(stateDir, 'hub'),
  processes: join(stateDir, 'processes.json'),
  lock: join(stateDir, 'platform.lock'),
  ready: join(stateDir, 'ready.json'),
});

/** The labs' Python environments: a kind is a set of versions (see python/requirements-<kind>.txt). */
export const LAB_KINDS = ['std6', 'std7', 'jsd', 'ext'] as const;
export type LabKind = (typeof LAB_KINDS)[number];

/** Every Python environment: the labs', the fuzzer's, and those of peers in a bench and a test. */
export type VenvKind = LabKind | 'schemathesis' | 'nbmake' | 'jupytext';
