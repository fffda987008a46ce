import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { git } from '../../../workers/courier/repositories/git.ts';

const { signal } = new AbortController();

test.each([
  ['int', 'core.bigFileThreshold', String(8 * 2 ** 20)],
  ['int', 'core.deltaBaseCacheLimit', String(16 * 2 ** 20)],
  ['int', 'pack.threads', '1'],
  ['bool', 'maintenance.auto', 'false'],
])('git itself reads as %s of %s: %s', async (type, name, value) => {
  const args = ['config', `--type=${type}`, '--get', name];
  const read = await git({ repository: tmpdir(), args, signal });
  expect(read.toString().trim()).toBe(value);
});
