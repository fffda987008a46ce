/** `npm run release:action -- v1.2.3`: builds the GitHub Action and tags a commit that carries it. Nothing is pushed. */
import { rmSync } from 'node:fs';
import { ROOT } from '../platform/state.ts';
import { ACTION_DIST, bundleAction } from './bundle-action.ts';
import { tagWithFiles } from './release-tag.ts';

const [tag] = process.argv.slice(2);
if (tag === undefined || !/^v\d+\.\d+\.\d+$/.test(tag)) {
  console.error('Which version? For example: npm run release:action -- v1.2.3');
  process.exit(2);
}
rmSync(ACTION_DIST, { recursive: true, force: true });
await bundleAction(ACTION_DIST);
// Without the source maps, which the runner does not read.
const commit = tagWithFiles(ROOT, tag, ':(glob)action/dist/**/*.mjs', ':(glob)action/dist/**/*.txt');
console.log(`${tag} is ${commit}. To publish it: git push origin ${tag}`);
