/**
 * `npm run build`: the product's programs as they go into images, into dist/, and the GitHub Action into action/dist/.
 * `-- --uid <n>`: the user that will run the programs, if that is another and this one is root.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ENTRIES } from '../platform/services/product.ts';
import { ROOT } from '../platform/state.ts';
import { ACTION_DIST, bundleAction } from './bundle-action.ts';
import { bundle } from './bundle.ts';
import { bundleCommand, packageCommand } from './command.ts';
import { fillCompileCache } from './compile-cache.ts';

const { values } = parseArgs({ options: { uid: { type: 'string' } } });
const uid = values.uid === undefined ? undefined : Number(values.uid);

const dir = join(ROOT, 'dist');
rmSync(dir, { recursive: true, force: true });
for (const [program, entry] of Object.entries(ENTRIES)) {
  const { bytes, packages } = await bundle(program, entry, dir);
  console.log(`dist/${program}.mjs: ${Math.round(bytes / 1024)} kB, ${packages.length} packages`);
}
packageCommand(await bundleCommand(dir), join(dir, 'package'));
console.log('dist/noteburst.mjs: the command, and dist/package/: the same for npm');
for (const program of ['submit', 'status', 'github'] as const) await fillCompileCache(program, dir, uid);
console.log('dist/compile-cache/: what V8 has compiled of the functions, for NODE_COMPILE_CACHE');

rmSync(ACTION_DIST, { recursive: true, force: true });
const { bytes } = await bundleAction(ACTION_DIST);
console.log(`action/dist/action.mjs: ${Math.round(bytes / 1024)} kB`);
