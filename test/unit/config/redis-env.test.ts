import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../../lib/config/env.ts';
import { functionConfig } from '../../../lib/config/functions.ts';
import { thrownBy } from '../../support/thrown.ts';

const ENV = {
  NOTEBURST_REDIS_URL: 'redis://user:p%40ss%2F%25@redis.example.org:6380/3',
  NOTEBURST_ENVIRONMENT_URL: 'https://data.example.org/',
  NOTEBURST_GAFAELFAWR_URL: 'https://data.example.org/auth/api/v1',
};
const SENTINELS = 'NOTEBURST_REDIS_SENTINELS';
const MASTER = 'NOTEBURST_REDIS_SENTINEL_MASTER';
const CA = 'NOTEBURST_REDIS_CA_PATH';

const setupOf = (env: Record<string, string>) => functionConfig({ ...ENV, ...env }).redis;
const problemOf = (env: Record<string, string>) => thrownBy(ConfigError, () => setupOf(env)).message;

test('a URL alone is all that a single Redis needs', () => {
  expect(setupOf({})).toEqual({ url: ENV.NOTEBURST_REDIS_URL });
});

test.each([
  'redis.example.org:6379',
  'http://redis.example.org',
  'redis://',
  // Passwords as they are, with / # ? and %.
  'redis://user:12/canary@redis.example.org/0',
  'redis://user:12#canary@redis.example.org/0',
  'redis://user:12?canary@redis.example.org/0',
  'redis://user:%canary@redis.example.org/0',
  'redis://redis.example.org/queue',
  'redis://redis.example.org/0?commandTimeout=1',
])('the URL %s is refused, with how it should be, and is not repeated', (url) => {
  const problem = problemOf({ NOTEBURST_REDIS_URL: url });
  expect(problem).toContain('NOTEBURST_REDIS_URL: should be a URL such as redis://user:password@host:6379/0');
  expect(problem).not.toContain('canary');
});

describe('sentinels', () => {
  test('are named with the master, and a password where they have one', () => {
    const env = { [SENTINELS]: 's1.example.org:26379, [::1]:26380', [MASTER]: 'mymaster' };
    const nodes = [
      { host: 's1.example.org', port: 26_379 },
      { host: '::1', port: 26_380 },
    ];
    expect(setupOf(env).sentinel).toEqual({ nodes, masterName: 'mymaster' });
    const withPassword = { ...env, NOTEBURST_REDIS_SENTINEL_PASSWORD: 'secret' };
    expect(setupOf(withPassword).sentinel).toEqual({ nodes, masterName: 'mymaster', password: 'secret' });
  });

  test.each([
    [{ [SENTINELS]: 's1:26379' }, `${MASTER}: is required with ${SENTINELS}`],
    [{ [MASTER]: 'mymaster' }, `${SENTINELS}: is required with ${MASTER}`],
    [
      { NOTEBURST_REDIS_SENTINEL_PASSWORD: 'secret' },
      `${SENTINELS}: is required with NOTEBURST_REDIS_SENTINEL_PASSWORD`,
    ],
    [{ [SENTINELS]: 's1', [MASTER]: 'mymaster' }, `${SENTINELS}: should be host:port`],
    [{ [SENTINELS]: 's1:26379,', [MASTER]: 'mymaster' }, `${SENTINELS}: should be host:port`],
    [{ [SENTINELS]: 'redis://s1:26379', [MASTER]: 'mymaster' }, `${SENTINELS}: should be host:port`],
  ])('%o is refused, with what to do', (env, problem) => {
    expect(problemOf(env)).toContain(problem);
  });
});

describe("a private CA's certificate", () => {
  const TLS = { NOTEBURST_REDIS_URL: 'rediss://redis.example.org/0' };

  test('is read at once, and refused without TLS, where it would protect nothing', () => {
    const dir = mkdtempSync(join(tmpdir(), 'noteburst-ca-'));
    const path = join(dir, 'ca.pem');
    // All of them, where there are several.
    const pem = rootCertificates.slice(0, 2).join('\n');
    writeFileSync(path, pem);
    expect(setupOf({ ...TLS, [CA]: path })).toEqual({ url: TLS.NOTEBURST_REDIS_URL, ca: pem });
    expect(problemOf({ [CA]: path })).toContain(`${CA}: is used with TLS only`);
    rmSync(dir, { recursive: true });
  });

  test('is refused when it is none, and would have everything refused later', () => {
    const dir = mkdtempSync(join(tmpdir(), 'noteburst-ca-'));
    const path = join(dir, 'ca.pem');
    writeFileSync(path, 'no certificate');
    const problem = `${CA}: should name a file that holds a certificate as PEM`;
    expect(problemOf({ ...TLS, [CA]: path })).toContain(problem);
    rmSync(dir, { recursive: true });
    expect(problemOf({ ...TLS, [CA]: path })).toContain(problem);
  });
});
