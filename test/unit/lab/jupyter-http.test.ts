import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import {
  JupyterProtocolError,
  JupyterResponseError,
  JupyterUnreachableError,
  RedirectRefusedError,
} from '../../../workers/executor/lab/errors.ts';
import { HubClient } from '../../../workers/executor/lab/hub-client.ts';
import { JupyterHttp } from '../../../workers/executor/lab/jupyter-http.ts';
import { LabApi } from '../../../workers/executor/lab/lab-api.ts';
import { FakeHub } from '../../support/fake-hub.ts';
import { FakeLab } from '../../support/fake-lab.ts';

let fake: FakeHub;
let http: JupyterHttp;
const signal = AbortSignal.timeout(60_000);

beforeEach(async () => {
  fake = await new FakeHub().start();
  http = new JupyterHttp({ hubUrl: fake.url, username: fake.username, token: fake.token });
});

afterEach(async () => {
  await http.close();
  await fake.stop();
});

test('a page load follows the login chain back to the page it began with', async () => {
  const last = await http.page(http.space.hub('hub/home'), { signal });
  expect(last.pathname).toBe('/nb/hub/home');
  expect(fake.calls.map((call) => call.action)).toEqual(['home', 'login', 'login', 'home']);
});

test('hub and lab each get their own XSRF token, and all requests one User-Agent', async () => {
  fake.lab = new FakeLab(fake.username);
  await new HubClient(http).login(signal);
  await new LabApi(http).connect(signal);
  await expect(new HubClient(http).user(signal)).resolves.toMatchObject({ name: 'bot-fake' });
  expect(new Set(fake.calls.map((call) => call.userAgent))).toEqual(new Set(['noteburst-executor']));
  expect(fake.calls.at(-1)?.referer).toBe(`${fake.url}/hub/home`);
  expect(fake.count('home')).toBe(2);
});

test.each([
  ['another host', 'http://169.254.169.254/nb/hub/home'],
  ['another path of the same host', '/login?rd=x'],
  ['a prefix that only looks alike', '/nb/hubris'],
  ['a way out by dots', '/nb/hub/../../argocd'],
  ["another user's lab", '/nb/user/bot-other/lab'],
  ['credentials in the URL', 'http://a:b@127.0.0.1/nb/hub/home'],
  ['no valid URL', 'http://['],
])('a redirect to %s is refused', async (_, target) => {
  fake.failOn('home', { redirect: target });
  await expect(http.page(http.space.hub('hub/home'), { signal })).rejects.toBeInstanceOf(
    RedirectRefusedError,
  );
  expect(fake.calls).toHaveLength(1);
});

test('a refused redirect says what an operator should look at, and shows no query', async () => {
  fake.failOn('home', { redirect: '/login?rd=secret' });
  const error = await http.page(http.space.hub('hub/home'), { signal }).catch(String);
  expect(error).toMatch(/\/login, outside of the hub and the lab of bot-fake.*token is expired/);
  expect(error).not.toContain('secret');
});

test('a loop is noticed as soon as it brings nothing new', async () => {
  fake.failOn('home', { redirect: '/nb/hub/home' }, 50);
  await expect(http.page(http.space.hub('hub/home'), { signal })).rejects.toThrow(/in circles/);
  expect(fake.count('home')).toBe(1);
});

test('a chain that changes all the time ends too', async () => {
  for (let n = 0; n < 50; n += 1) fake.failOn('home', { redirect: `/nb/hub/home?n=${n}` });
  await expect(http.page(http.space.hub('hub/home'), { signal })).rejects.toThrow(/in circles/);
  expect(fake.count('home')).toBe(21);
});

test('an error answer is typed, honours Retry-After, and keeps body and token to itself', async () => {
  fake.failOn('home', { status: 429, retryAfter: '7' });
  const error: unknown = await http
    .page(http.space.hub('hub/home?code=c'), { signal })
    .catch((e: unknown) => e);
  expect(error).toBeInstanceOf(JupyterResponseError);
  expect(error).toMatchObject({ status: 429, retryAfterMs: 7000, path: '/nb/hub/home', method: 'GET' });
  expect(JSON.stringify(error) + String(error)).not.toMatch(/secret|code=/);
});

test('a server that never answers is given up after the time allowed', async () => {
  fake.failOn('home', 'hang');
  const begun = performance.now();
  const call = http.page(http.space.hub('hub/home'), { signal, timeoutMs: 100 });
  await expect(call).rejects.toThrow(/no answer within 0.1 s/);
  expect(performance.now() - begun).toBeLessThan(1000);
});

test("the caller's signal ends a call with the caller's reason", async () => {
  fake.failOn('home', 'hang');
  const reason = new Error('lease lost');
  const call = http.page(http.space.hub('hub/home'), {
    signal: AbortSignal.any([signal, abortSoon(reason)]),
  });
  await expect(call).rejects.toBe(reason);
});

test('a connection cut once is taken for a stale one; cut twice it is an error', async () => {
  fake.failOn('home', 'reset');
  await http.page(http.space.hub('hub/home'), { signal });
  fake.failOn('home', 'reset', 2);
  const call = http.page(http.space.hub('hub/home'), { signal });
  await expect(call).rejects.toBeInstanceOf(JupyterUnreachableError);
});

test.each(['<html>', '{"name": 3}', '{"na'])('an answer of another shape is refused: %s', async (body) => {
  fake.failOn('user', { body });
  const call = http.json('GET', http.space.hub('hub/api/users/bot-fake'), z.object({ name: z.string() }), {
    signal,
  });
  await expect(call).rejects.toBeInstanceOf(JupyterProtocolError);
});

test('an answer that never ends is given up too', async () => {
  fake.failOn('user', 'stall');
  const url = http.space.hub('hub/api/users/bot-fake');
  const call = http.json('GET', url, z.object({ name: z.string() }), { signal, timeoutMs: 100 });
  await expect(call).rejects.toThrow(/broke off its answer/);
  fake.failOn('home', 'stall');
  await http.page(http.space.hub('hub/home'), { signal, timeoutMs: 100 });
});

test('the guard is asked before every request, redirects included', async () => {
  let allowed = 2;
  const guarded = new JupyterHttp({
    hubUrl: fake.url,
    username: fake.username,
    token: fake.token,
    guard: () => {
      if (allowed-- === 0) throw new Error('lease over');
    },
  });
  await expect(guarded.page(guarded.space.hub('hub/home'), { signal })).rejects.toThrow('lease over');
  expect(fake.calls).toHaveLength(2);
  await guarded.close();
});

function abortSoon(reason: Error): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 30);
  return controller.signal;
}
