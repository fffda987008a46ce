import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError } from '../../../lib/config/env.ts';
import { readPools } from '../../../lib/config/pool-env.ts';
import { thrownBy } from '../../support/thrown.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'noteburst-pools-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (file: string, ...lines: string[]) => writeFileSync(join(folder, file), lines.join('\n'));
const queue = (name: string) => `NOTEBURST_WORKER_QUEUE_NAME=${name}`;
const problem = () => thrownBy(ConfigError, () => readPools('nbexec', folder)).message;

test('without a folder there is the default pool, as its executors are by default', () => {
  expect(readPools('nightly', undefined)).toEqual([
    { queueName: 'nightly', image: 'recommended', size: 'Large' },
  ]);
});

test('each file is the environment of a pool’s executors; the default queue comes first', () => {
  put('a.env', queue('weekly'), 'NOTEBURST_WORKER_IMAGE_SELECTOR=weekly', 'NOTEBURST_WORKER_LAB_SIZE=Small');
  put('b.env', queue('nbexec'), 'NOTEBURST_WORKER_WARM_KERNEL=lsst', '# a comment');
  put(
    'c.env',
    queue('tagged'),
    'NOTEBURST_WORKER_IMAGE_SELECTOR=tag',
    'NOTEBURST_WORKER_IMAGE_REFERENCE=w_2026_40',
  );
  // What a mounted ConfigMap and an editor leave there.
  put('..data.env', 'nonsense');
  put('README', 'nonsense');
  expect(readPools('nbexec', folder)).toEqual([
    { queueName: 'nbexec', image: 'recommended', size: 'Large' },
    { queueName: 'weekly', image: 'latest-weekly', size: 'Small' },
    { queueName: 'tagged', image: 'w_2026_40', size: 'Large' },
  ]);
});

describe('what is wrong with the pools is said, with its file:', () => {
  test('a value', () => {
    put('a.env', queue('Nb'), 'NOTEBURST_WORKER_IMAGE_SELECTOR=tag', 'NOTEBURST_WORKER_LAB_SIZE=Huge');
    expect(problem()).toMatch(/^NOTEBURST_POOLS_PATH: .*\/a\.env: The environment has 3 problem\(s\):/);
    for (const name of ['QUEUE_NAME', 'IMAGE_REFERENCE', 'LAB_SIZE'])
      expect(problem()).toContain(`NOTEBURST_WORKER_${name}: `);
  });

  test.each(['NOTEBURST_WORKER_LAB_SIZE="Small"', 'NOTEBURST_WORKER_LAB_SIZE=Small # enough'])(
    'what kustomize would read otherwise: %s',
    (line) => {
      put('a.env', queue('nbexec'), line);
      expect(problem()).toContain('values have no quotes and no comments behind them');
    },
  );

  test('a queue whose keys would be others', () => {
    put('a.env', queue('source'));
    expect(problem()).toContain('NOTEBURST_WORKER_QUEUE_NAME: is a name that other keys in Redis have');
  });

  test('no folder', () => {
    expect(() => readPools('nbexec', join(folder, 'none'))).toThrow(/none: cannot be read \(ENOENT\)/);
  });

  test('no pool for requests that name none', () => {
    put('a.env', queue('weekly'));
    expect(problem()).toContain('no pool has the queue nbexec, which NOTEBURST_WORKER_QUEUE_NAME names');
  });

  test.each([
    ['queue', queue('nbexec'), 'NOTEBURST_WORKER_LAB_SIZE=Small'],
    ['image and size', queue('other'), ''],
  ])('two with the same %s', (_what, ...lines) => {
    put('a.env', queue('nbexec'));
    put('b.env', ...lines);
    expect(problem()).toMatch(/two pools have the queue \w+, or its image and size/);
  });
});
