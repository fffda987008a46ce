import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../platform/state.ts';

/** From Redis 7.2 on, and in every Valkey. */
const NEWER = '+client|setinfo';

/**
 * The users of docs/redis.md, with what they may do.
 *
 * @param version of the server, such as "redis 7.0.15": before 7.2 one rule has to be left out, as the page says
 */
export function aclRules(version: string): Map<string, string[]> {
  const [, major = 0, minor = 0] = /^redis (\d+)\.(\d+)/.exec(version)?.map(Number) ?? [0, Infinity];
  const knowsAll = major > 7 || (major === 7 && minor >= 2);
  const page = readFileSync(join(ROOT, 'docs/redis.md'), 'utf8');
  return new Map(
    [...page.matchAll(/^user (\S+) on ><password> (.+)$/gm)].map(([, name, rules]) => [
      name as string,
      (rules as string).split(' ').filter((rule) => knowsAll || rule !== NEWER),
    ]),
  );
}
