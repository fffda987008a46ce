import { describe, expect, test } from 'vitest';
import { MAX_TIMER_MS } from '../../../lib/abort.ts';
import { ConfigError } from '../../../lib/config/env.ts';
import { functionConfig } from '../../../lib/config/functions.ts';
import { executorConfig } from '../../../workers/executor/config.ts';
import { runNode } from '../../support/run-node.ts';
import { thrownBy } from '../../support/thrown.ts';

const FUNCTION_ENV = {
  NOTEBURST_REDIS_URL: 'redis://localhost:6379/0',
  NOTEBURST_ENVIRONMENT_URL: 'https://data.example.org/',
  NOTEBURST_GAFAELFAWR_URL: 'https://data.example.org/auth/api/v1',
};

/** Every variable wrong that can be; values that must not be repeated carry the canary. */
const CANARY = 'canary-hunter2';
const BROKEN = {
  PORT: '70000',
  SAFIR_LOG_LEVEL: CANARY,
  SAFIR_PROFILE: CANARY,
  NOTEBURST_REDIS_URL: `http://:${CANARY}@redis`,
  NOTEBURST_WORKER_QUEUE_NAME: `A:${CANARY}`,
  NOTEBURST_RESULT_RETENTION_SECONDS: '-1',
  NOTEBURST_START_WITHIN_SECONDS: 'soon',
  NOTEBURST_GAFAELFAWR_URL: `ftp://user:${CANARY}@host`,
  REPERTOIRE_BASE_URL: CANARY,
};
const BROKEN_FUNCTION = {
  ...BROKEN,
  NOTEBURST_PATH_PREFIX: CANARY,
  NOTEBURST_ENVIRONMENT_URL: '',
  NOTEBURST_WORKER_JOB_TIMEOUT: CANARY,
};
const BROKEN_EXECUTOR = {
  ...BROKEN,
  NOTEBURST_GAFAELFAWR_TOKEN: '',
  NOTEBURST_WORKER_LOCK_REDIS_URL: CANARY,
  NOTEBURST_WORKER_IDENTITIES_PATH: '',
  NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: '1.5',
  NOTEBURST_WORKER_TOKEN_LIFETIME: '0',
  NOTEBURST_WORKER_IMAGE_SELECTOR: CANARY,
  NOTEBURST_WORKER_LAB_SIZE: CANARY,
  NOTEBURST_WORKER_KEEPALIVE: CANARY,
  NOTEBURST_WORKER_LEASE_TTL_SECONDS: CANARY,
  NOTEBURST_WORKER_LOCK_SECONDS: CANARY,
  NOTEBURST_WORKER_GRACE_SECONDS: CANARY,
};

const problemsOf = (parse: () => unknown) => thrownBy(ConfigError, parse).message;

/** The names at the beginning of the message's lines. */
const namesIn = (message: string): string[] =>
  Array.from(message.matchAll(/^ {2}([A-Z_]+): ./gm), ([, name]) => name as string);

describe('the environment of a function', () => {
  test('needs only what has no default', () => {
    expect(functionConfig(FUNCTION_ENV)).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      logLevel: 'info',
      queueName: 'nbexec',
      apiUrl: 'https://data.example.org/noteburst/v1',
      maxTimeoutSeconds: 3_600,
      resultRetentionSeconds: 86_400,
      sourceTtlSeconds: 86_400 + 3_600 + 86_400,
    });
  });

  test('may leave variables empty, as manifests do', () => {
    const empty = { PORT: '', SAFIR_PROFILE: '', NOTEBURST_PATH_PREFIX: '', REPERTOIRE_BASE_URL: '' };
    expect(functionConfig({ ...FUNCTION_ENV, ...empty })).toEqual(functionConfig(FUNCTION_ENV));
  });

  test("takes Safir's level names", () => {
    expect(functionConfig({ ...FUNCTION_ENV, SAFIR_LOG_LEVEL: 'WARNING' }).logLevel).toBe('warn');
    expect(functionConfig({ ...FUNCTION_ENV, SAFIR_LOG_LEVEL: 'DEBUG' }).logLevel).toBe('debug');
  });

  test('allows no run that is longer than timers count', () => {
    const allowing = (seconds: number) =>
      functionConfig({ ...FUNCTION_ENV, NOTEBURST_WORKER_JOB_TIMEOUT: String(seconds) });
    expect(allowing(7 * 86_400).maxTimeoutSeconds * 1_000).toBeLessThan(MAX_TIMER_MS);
    expect(problemsOf(() => allowing(7 * 86_400 + 1))).toContain(
      'NOTEBURST_WORKER_JOB_TIMEOUT: should be at most 604800, 7 days',
    );
  });

  test('without anything names all that is required', () => {
    expect(problemsOf(() => functionConfig({}))).toBe(
      [
        'The environment has 3 problem(s):',
        '  NOTEBURST_REDIS_URL: is required but not set',
        '  NOTEBURST_ENVIRONMENT_URL: is required but not set',
        '  NOTEBURST_GAFAELFAWR_URL: is required but not set, unless REPERTOIRE_BASE_URL is',
      ].join('\n'),
    );
  });

  test('tells every problem at once, and no value', () => {
    const message = problemsOf(() => functionConfig(BROKEN_FUNCTION));
    expect(namesIn(message).toSorted()).toEqual(Object.keys(BROKEN_FUNCTION).toSorted());
    expect(message).not.toContain(CANARY);
  });
});

describe('the environment of an executor', () => {
  test('tells every problem at once, and no value', () => {
    const message = problemsOf(() => executorConfig(BROKEN_EXECUTOR));
    const names = Object.keys(BROKEN_EXECUTOR);
    expect(namesIn(message).toSorted()).toEqual(names.toSorted());
    expect(message).not.toContain(CANARY);
  });

  test.each(['tag', 'reference'])('with the selector %s needs the image beside it', (selector) => {
    const env = { ...BROKEN_EXECUTOR, NOTEBURST_WORKER_IMAGE_SELECTOR: selector };
    expect(problemsOf(() => executorConfig(env))).toContain(
      'NOTEBURST_WORKER_IMAGE_REFERENCE: is required when NOTEBURST_WORKER_IMAGE_SELECTOR is tag or reference',
    );
  });
});

describe('a process with a broken environment', () => {
  test.each([
    ['functions/submit/index.ts', BROKEN_FUNCTION],
    ['functions/status/index.ts', BROKEN_FUNCTION],
    ['workers/executor/main.ts', BROKEN_EXECUTOR],
  ])('%s ends with code 2 and one message for a person', async (entry, env) => {
    const { code, stdout, stderr } = await runNode(entry, env);
    expect(namesIn(stderr).toSorted()).toEqual(Object.keys(env).toSorted());
    expect(stderr).toMatch(/^The environment has \d+ problem\(s\):\n(?: {2}[A-Z_]+: .+\n)+$/);
    expect(stderr).not.toContain(CANARY);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });
});
