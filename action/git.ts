import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const LIMIT_MS = 120_000;
const MAX_BYTES = 64 * 2 ** 20;

/** Runs git in a folder. @returns what it prints; it fails as git does */
export async function git(dir: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('git', ['-C', dir, ...args], {
    timeout: LIMIT_MS,
    maxBuffer: MAX_BYTES,
  });
  return stdout;
}
