import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ROOT } from '../platform/state.ts';
import { bundle } from './bundle.ts';
import { LICENCES } from './licences.ts';

const PROGRAM = 'noteburst';
/** Of those whom the command has to run for: Node strips no types in node_modules. */
const OLDEST_NODE = 'node20';

/** What a package says of itself beside what is in it. */
const SHARED = ['name', 'version', 'description', 'license', 'homepage', 'type', 'engines'] as const;

/** Bundles the command that callers run, on whatever Node they have. @returns the path of its one file */
export async function bundleCommand(dir: string): Promise<string> {
  await bundle(PROGRAM, join(ROOT, 'cli/main.ts'), dir, OLDEST_NODE);
  return join(dir, `${PROGRAM}.mjs`);
}

/**
 * Makes an npm package of the command, without dependencies: whoever installs this project's own gets those of the servers.
 *
 * @param file the command's one file
 */
export function packageCommand(file: string, dir: string): void {
  // Whatever lies there would go into the package.
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const project = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>;
  const says = {
    ...Object.fromEntries(SHARED.map((name) => [name, project[name]])),
    bin: { [PROGRAM]: basename(file) },
  };
  writeFileSync(join(dir, 'package.json'), `${JSON.stringify(says, undefined, 2)}\n`);
  cpSync(file, join(dir, basename(file)));
  cpSync(join(ROOT, 'LICENSE'), join(dir, 'LICENSE'));
  cpSync(join(dirname(file), PROGRAM, LICENCES), join(dir, LICENCES));
}
