import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ROOT } from '../../../platform/state.ts';

interface Locked {
  version?: string;
  optionalDependencies?: Record<string, string>;
}

// `npm ci` on a fresh clone refuses a lockfile that lacks any, also those of other platforms.
it('the lockfile has every package (else run: node platform/setup/complete-lockfile.mjs)', () => {
  const lock = JSON.parse(readFileSync(`${ROOT}package-lock.json`, 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const missing = Object.entries(lock.packages).flatMap(([at, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !lock.packages[`node_modules/${name}`] && !lock.packages[`${at}/node_modules/${name}`],
    ),
  );
  expect(missing).toEqual([]);
});
