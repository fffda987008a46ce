import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Outgoing } from '../../../workers/courier/outgoing/outgoing.ts';
import { GithubApi } from '../../../workers/courier/github/github-api.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
let asked: AbortSignal[];
/** A GitHub that never answers. */
const fetch: Outgoing['fetch'] = async (_, init) => {
  const signal = init?.signal as AbortSignal;
  asked.push(signal);
  await once(signal, 'abort');
  throw signal.reason;
};
const api = new GithubApi(
  {
    apiUrl: 'https://api.github.com',
    appId: '1',
    privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }) as string,
  },
  { fetch },
);
const token = (signal: AbortSignal) => api.token(55, 'team/tutorials', { checks: 'write' }, signal);
const times = (count: number) => vi.waitUntil(() => asked.length >= count, { timeout: 4_000, interval: 5 });

beforeEach(() => {
  asked = [];
  const real = AbortSignal.timeout.bind(AbortSignal);
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => real(ms / 50));
});
afterEach(() => void vi.restoreAllMocks());

test('who has to go does not wait for a token, and others that wait for the same one go on', async () => {
  const stop = new AbortController();
  const stays = new AbortController();
  const first = token(stop.signal);
  const second = token(stays.signal);
  const ended = Promise.allSettled([first, second]);
  await times(1);
  stop.abort(new Error('has to go'));
  await expect(first).rejects.toThrow('has to go');
  expect(asked.map(({ aborted }) => aborted)).toEqual([false]);
  stays.abort(new Error('has to go, too'));
  await ended;
});

test('a token that does not come in time is asked for again', async () => {
  const stop = new AbortController();
  const ended = token(stop.signal).catch((error: unknown) => error);
  await times(2);
  expect(asked[0]?.reason).toMatchObject({ name: 'TimeoutError' });
  stop.abort(new Error('has to go'));
  expect(await ended).toMatchObject({ message: expect.stringMatching(/has to go|aborted/) });
});
