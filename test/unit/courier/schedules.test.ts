/** Looks at schedules on a GitHub that does not do what it should. */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { Response } from 'undici';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { CourierHandler } from '../../../workers/courier/courier-queue.ts';
import { GithubApi } from '../../../workers/courier/github/github-api.ts';
import type { Outgoing } from '../../../workers/courier/outgoing/outgoing.ts';
import { scheduleKeeper } from '../../../workers/courier/suites/schedules.ts';
import { capturedLog } from '../../support/log.ts';

const REPOSITORIES = ['team/a', 'team/b', 'team/c'];
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const { log, lines } = capturedLog();
/** The repositories that were asked for. */
let asked: string[];
let fetch: Outgoing['fetch'];
let look: CourierHandler;

beforeEach(() => {
  asked = [];
  lines.length = 0;
  const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }) as string;
  const app = { apiUrl: 'https://api.github.com', appId: '1', privateKey: pem };
  const api = new GithubApi(app, {
    fetch: (url, init) => {
      asked.push(/repos\/([^/]+\/[^/]+)/.exec(url)?.[1] ?? url);
      return fetch(url, init);
    },
  });
  // None of these GitHubs gets it so far.
  const redis = {} as Redis;
  look = scheduleKeeper({ redis, api, repositories: REPOSITORIES, add: async () => undefined, log });
  vi.spyOn(Math, 'random').mockReturnValue(0);
});
afterEach(() => void vi.restoreAllMocks());

const { signal } = new AbortController();
const task = (minute: number) => ({
  data: { version: 1, at_ms: minute * 60_000 },
  attempt: 1,
  losses: 0,
  isLast: false,
  signal,
});
const silent: Outgoing['fetch'] = async (_, init) => {
  const ended = init?.signal as AbortSignal;
  await once(ended, 'abort');
  throw ended.reason;
};
const answer = (status: number): Outgoing['fetch'] => {
  const headers = { 'Content-Type': 'application/json' };
  return async () => new Response('{"message":"Not so"}', { status, headers });
};

test('there is one look at a time, however many wait', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  fetch = async (url, init) => {
    await promise;
    return answer(404)(url, init);
  };
  const first = look(task(0));
  await vi.waitUntil(() => asked.length === 1, { timeout: 5_000, interval: 5 });
  await Promise.all(Array.from({ length: 20 }, () => look(task(0))));
  expect(asked).toEqual(['team/a']);
  resolve();
  await first;
  await look(task(0));
  expect(asked).toEqual([...REPOSITORIES, ...REPOSITORIES]);
});

test('of a GitHub that does not answer, nothing more is asked in this look', async () => {
  fetch = () => Promise.reject(new TypeError('fetch failed'));
  await look(task(0));
  expect(new Set(asked)).toEqual(new Set(['team/a']));
  expect(lines.join('')).toContain('left to the next look');
}, 15_000);

test.each([403, 404])('a %i is about one repository: the others are looked at', async (status) => {
  fetch = answer(status);
  await look(task(0));
  expect(asked).toEqual(REPOSITORIES);
});

test('a look ends in time, and the next begins with another repository', async () => {
  const real = AbortSignal.timeout.bind(AbortSignal);
  // The look has 4 minutes, here 0.12 s; a request has 20 s still.
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => real(ms === 240_000 ? 120 : ms));
  fetch = silent;
  await look(task(0));
  await look(task(1));
  await look(task(5));
  expect(asked).toEqual(['team/a', 'team/b', 'team/c']);
});
