import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { onChange } from '../../../cli/watch.ts';

let dir: string;
let end: AbortController;
beforeEach(() => {
  vi.spyOn(console, 'log').mockReturnValue();
  dir = mkdtempSync(join(tmpdir(), 'noteburst-watch-'));
  end = new AbortController();
  mkdirSync(join(dir, 'deep'));
  for (const name of ['a', 'deep/b']) write(name, 'as it was');
});
afterEach(() => {
  end.abort();
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
const begin = () => {
  const cases = ['a', 'deep/b'].map((name) => ({ name, path: name, file: join(dir, name), options: {} }));
  return onChange(cases, AbortSignal.any([end.signal, AbortSignal.timeout(10_000)]));
};
/** The names of the next that have changed; undefined at the end. */
async function next(changes: ReturnType<typeof begin>): Promise<string[] | undefined> {
  const { value } = (await changes.next()) as { value: { name: string }[] | undefined };
  return value?.map(({ name }) => name);
}

test('a change that comes before anybody waits is told, once', async () => {
  const changes = begin();
  write('a', 'while the suite runs');
  expect(await next(changes)).toEqual(['a']);
  write('deep/b', 'while it runs again');
  expect(await next(changes)).toEqual(['deep/b']);
});

test('several changes are told together, also of a file that another takes the place of', async () => {
  const changes = begin();
  write('a', 'new');
  write('.b.swp', 'as it was');
  renameSync(join(dir, '.b.swp'), join(dir, 'deep/b'));
  expect(await next(changes)).toEqual(['a', 'deep/b']);
});

test('a folder may be removed and made anew', async () => {
  const changes = begin();
  rmSync(join(dir, 'deep'), { recursive: true });
  write('a', 'meanwhile');
  expect(await next(changes)).toEqual(['a']);
  mkdirSync(join(dir, 'deep'));
  write('deep/b', 'as it was');
  expect(await next(changes)).toEqual(['deep/b']);
});

test('ends with the signal, in the middle of waiting', async () => {
  const waiting = next(begin());
  end.abort();
  expect(await waiting).toBeUndefined();
});
