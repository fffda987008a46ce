import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, extname, join, relative } from 'node:path';
import type { SuiteCase } from './plan.ts';
import type { SuiteRun } from './run-suite.ts';

/** Writes executed notebooks into a folder, if there is one, as far as they came. */
export function keepExecuted(out: string | undefined): NonNullable<SuiteRun['onExecuted']> {
  return async (which, ipynb) => {
    if (out === undefined) return {};
    const file = join(out, fileName(which));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, ipynb);
    return { executed: relative('', file) };
  };
}

/** Of `a/b.ipynb [small set]`, `a/b.small-set.ipynb`; what is outside of the suite's folder goes to its top. */
function fileName({ name, path }: SuiteCase): string {
  const inside = path
    .split('/')
    .filter((part) => part !== '..')
    .join('/');
  const set = /\[(.*)\]$/.exec(name.slice(path.length))?.[1];
  if (set === undefined) return inside;
  const extension = extname(inside);
  return `${inside.slice(0, -extension.length)}.${set.replaceAll(/[^\w.-]+/g, '-')}${extension}`;
}
