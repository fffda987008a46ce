import { join } from 'node:path';
import { ROOT } from '../platform/state.ts';
import { bundle, type Eager } from './bundle.ts';

/** Where action.yml looks for it. */
export const ACTION_DIST = join(ROOT, 'action/dist');

/** Makes of the GitHub Action ES modules that need Node alone: the runner installs nothing. */
export function bundleAction(dir: string): Promise<Eager> {
  return bundle('action', join(ROOT, 'action/main.ts'), dir);
}
