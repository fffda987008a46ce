import { join } from 'node:path';
import { ROOT } from '../platform/state.ts';

/** The command that callers run, on whatever Node they have: Node itself strips no types in node_modules. */
export const COMMAND = ['noteburst', join(ROOT, 'cli/main.ts')] as const;
export const OLDEST_NODE = 'node20';
