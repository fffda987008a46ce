import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../platform/state.ts';

/** The users of docs/redis.md, with what they may do. */
export function aclRules(): Map<string, string[]> {
  const page = readFileSync(join(ROOT, 'docs/redis.md'), 'utf8');
  return new Map(
    [...page.matchAll(/^user (\S+) on ><password> (.+)$/gm)].map(([, name, rules]) => [
      name as string,
      (rules as string).split(' '),
    ]),
  );
}
