import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';

/**
 * Runs one of the product's entry points to its end, with an environment that is given in full.
 *
 * @param entry its path, from the project's folder
 */
export async function runNode(
  entry: string,
  env: Record<string, string>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const path = resolve(import.meta.dirname, '../..', entry);
  // A clock of its own: a process that should have refused to start must not outlive the test.
  const child = spawn(process.execPath, [path], { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 10_000 });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, stdout, stderr };
}
