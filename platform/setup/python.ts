import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from '../process/run.ts';

export interface Python {
  path: string;
  /** For example "3.12.4". */
  version: string;
}

const NAMES = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python'];

/** Everything on PATH that has the name and may be run, in PATH's order. */
export function onPath(name: string, path = process.env['PATH'] ?? ''): string[] {
  const found = path.split(delimiter).flatMap((dir) => (dir === '' ? [] : [join(dir, name)]));
  return found.filter((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Major and minor of the newest Python that cannot be used, the next being the first that can. */
export const isUsable = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major === 3 && minor >= 11;
};

/** Finds a Python 3.11 or newer on PATH: `python3` where it is new enough, else the newest by name. */
export async function findPython(signal?: AbortSignal): Promise<Python> {
  const seen: string[] = [];
  for (const path of NAMES.flatMap((name) => onPath(name))) {
    try {
      // The real interpreter, not a shim in front of it, which may mean another one tomorrow.
      const ask = 'import sys, platform; print(platform.python_version()); print(sys.executable)';
      const answer = await run(path, ['-c', ask], { signal, timeoutMs: 20_000 });
      const [version = '', executable = path] = answer.trim().split('\n');
      if (isUsable(version)) return { path: executable, version };
      seen.push(`${path} is ${version}`);
    } catch {
      // A shim without a Python behind it. An abort ends the search.
      signal?.throwIfAborted();
    }
  }
  throw new Error(
    `Python 3.11 or newer is needed for JupyterHub, and none is on PATH${seen.length ? ` (${seen.join(', ')})` : ''}.\n` +
      'Install one (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python) and start again.',
  );
}
