import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConfigError } from '../../../lib/config/env.ts';
import { executorConfig } from '../../../workers/executor/config.ts';

let dir: string;
let env: Record<string, string>;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'noteburst-config-'));
  const identities = join(dir, 'identities.yaml');
  writeFileSync(identities, '- username: bot-a\n');
  env = {
    NOTEBURST_REDIS_URL: 'redis://localhost:6379/0',
    REPERTOIRE_BASE_URL: 'https://data.example.org/repertoire',
    NOTEBURST_GAFAELFAWR_TOKEN: 'gt-key.secret',
    NOTEBURST_WORKER_IDENTITIES_PATH: identities,
    NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: '5',
  };
});
afterAll(() => rmSync(dir, { recursive: true }));

test('notebooks run over websockets unless it is said otherwise', () => {
  expect(executorConfig(env)).toMatchObject({ backend: 'websocket', concurrency: 5 });
});

test('the backend extension runs one notebook at once, whatever is asked for', () => {
  const config = executorConfig({ ...env, NOTEBURST_WORKER_BACKEND: 'extension' });
  expect(config).toMatchObject({ backend: 'extension', concurrency: 1 });
});

test('twice as many kernels as jobs are kept, outputs up to 24 MiB', () => {
  expect(executorConfig(env)).toMatchObject({
    maxKernels: 10,
    outputLimits: { maxOutputBytes: 24 * 2 ** 20, maxOutputs: 100_000 },
  });
  const given = {
    NOTEBURST_WORKER_MAX_KERNELS: '5',
    NOTEBURST_WORKER_MAX_OUTPUT_BYTES: '1000',
    NOTEBURST_WORKER_MAX_OUTPUTS: '10',
  };
  expect(executorConfig({ ...env, ...given })).toMatchObject({
    maxKernels: 5,
    outputLimits: { maxOutputBytes: 1_000, maxOutputs: 10 },
  });
});

test.each([
  ['NOTEBURST_WORKER_MAX_KERNELS', '4', 'should not be less than NOTEBURST_WORKER_MAX_CONCURRENT_JOBS'],
  ['NOTEBURST_WORKER_MAX_OUTPUT_BYTES', '0', ''],
  ['NOTEBURST_WORKER_MAX_OUTPUT_BYTES', '1000000000', 'should be at most 134217728'],
  ['NOTEBURST_WORKER_MAX_OUTPUTS', 'many', 'should be a whole number'],
])('%s=%s is refused', (name, value, hint) => {
  const parse = () => executorConfig({ ...env, [name]: value });
  expect(parse).toThrow(ConfigError);
  expect(parse).toThrow(`${name}: ${hint}`);
});

test('another backend is refused with the names of those there are', () => {
  expect(() => executorConfig({ ...env, NOTEBURST_WORKER_BACKEND: 'rubin' })).toThrow(
    /NOTEBURST_WORKER_BACKEND.*websocket, extension/,
  );
});
