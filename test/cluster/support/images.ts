import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { promisify } from 'node:util';
import { ROOT } from '../../../platform/state.ts';

const run = promisify(execFile);
const TEN_MINUTES = { timeout: 600_000, cwd: ROOT };

const FUNCTIONS = ['submit', 'status', 'github'];

/** The user of the images. */
const UID = '65532';

/**
 * Builds the programs and loads them into the cluster as images, with what the Dockerfile puts there: Node, the bundle,
 * what V8 has compiled of it.
 *
 * @param command makes an image of plain files: NAME ENTRYPOINT SOURCE=DESTINATION…
 */
export async function loadImages(command: string): Promise<void> {
  // Another user's compiled code is none of ours.
  const asUser = process.getuid?.() === 0 ? ['--uid', UID] : [];
  await run(execPath, [join(ROOT, 'build/run.ts'), ...asUser], TEN_MINUTES);
  for (const program of [...FUNCTIONS, 'executor', 'courier']) {
    const files = [`${program}.mjs`, program, ...(FUNCTIONS.includes(program) ? ['compile-cache'] : [])];
    const entry = JSON.stringify(['/usr/local/bin/node', `/app/${program}.mjs`]);
    const copies = files
      .filter((file) => existsSync(join(ROOT, 'dist', file)))
      .map((file) => `${join(ROOT, 'dist', file)}=/app/${file}`);
    const name = `dev.local/noteburst-${program}:test`;
    const tools = program === 'courier' ? await git() : [];
    await run(command, [name, entry, `${execPath}=/usr/local/bin/node`, ...copies, ...tools], TEN_MINUTES);
  }
}

/** This machine's git, as far as a fetch over https needs it. */
async function git(): Promise<string[]> {
  const { stdout } = await run('git', ['--exec-path'], TEN_MINUTES);
  const helper = join(stdout.trim(), 'git-remote-https');
  const { stdout: program } = await run('which', ['git'], TEN_MINUTES);
  return [`${program.trim()}=/usr/bin/git`, `${helper}=${helper}`];
}
