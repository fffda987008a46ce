import { join } from 'node:path';
import { DEFAULT_STATE_DIR, type LabKind } from '../state.ts';
import { findRedisServer, type RedisServer } from './redis-server.ts';
import type { StepList } from './steps.ts';
import { setUpVenv } from './venv.ts';

export interface SetUpOptions {
  steps: StepList;
  signal?: AbortSignal | undefined;
  kinds?: readonly LabKind[];
  /** Where the Python environments are, which several state folders may share. */
  venvRoot?: string | undefined;
}

export interface SetUp {
  /** The Python environments, in the order of the kinds. */
  venvDirs: readonly string[];
  redisServer: RedisServer;
}

/** Sets up what is missing for a platform with these kinds of lab; does nothing when all is there. */
export async function setUp({ steps, signal, kinds = ['std6'], venvRoot }: SetUpOptions): Promise<SetUp> {
  const root = venvRoot ?? join(DEFAULT_STATE_DIR, 'venv');
  const venvDirs: string[] = [];
  for (const kind of kinds) {
    venvDirs.push(
      await steps.run(`Python environment (${kind})`, (notes) => setUpVenv(root, kind, notes, signal)),
    );
  }
  const [first] = venvDirs;
  if (first === undefined) throw new Error('a platform needs one kind of lab at least');
  return { venvDirs, redisServer: await findRedisServer(first, signal) };
}
