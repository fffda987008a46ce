import { describe, expect, test } from 'vitest';
import { CALLBACK_EVENTS, callbackRequest, showCallback } from '../../../lib/contract/callback.ts';

const base64 = (bytes: number) => Buffer.alloc(bytes, 'k').toString('base64');
const SECRET = `whsec_${base64(24)}`;
const URL_TEXT = 'https://hooks.example.org/a?b=c';

const parse = (callback: unknown) => callbackRequest.safeParse(callback);
const messages = (callback: unknown) =>
  parse(callback).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

describe('what may be asked for', () => {
  test('is all ends, when nothing else is said', () => {
    for (const events of [undefined, null])
      expect(parse({ url: URL_TEXT, secret: SECRET, events }).data).toEqual({
        url: URL_TEXT,
        secret: SECRET,
        events: [...CALLBACK_EVENTS],
      });
  });

  test('is some of them, in whatever order and however often', () => {
    const events = ['job.failed', 'job.completed', 'job.failed'];
    expect(parse({ url: URL_TEXT, secret: SECRET, events }).data?.events).toEqual([
      'job.completed',
      'job.failed',
    ]);
  });

  test('is nothing', () => {
    expect(parse(null)).toEqual({ success: true, data: undefined });
    expect(parse(undefined)).toEqual({ success: true, data: undefined });
  });
});

const URL_HINT = 'url: Input should be an https URL of at most 2000 characters';
test.each([
  ['', URL_HINT],
  ['hooks.example.org', URL_HINT],
  ['http://hooks.example.org/', URL_HINT],
  ['file:///etc/passwd', URL_HINT],
  ['gopher://hooks.example.org', URL_HINT],
  [5, URL_HINT],
  [`https://hooks.example.org/${'a'.repeat(2_000)}`, URL_HINT],
  ['https://user@hooks.example.org/', 'url: The URL should have no user and no password'],
  ['https://:canary@hooks.example.org/', 'url: The URL should have no user and no password'],
  ['https://hooks.example.org/#a', 'url: The URL should have no fragment'],
])('the URL %s is refused', (url, message) => {
  expect(messages({ url, secret: SECRET })).toEqual([message]);
});

test.each([
  ['', false],
  [base64(24), false],
  [`whsec_${base64(23)}`, false],
  [`whsec_${base64(24)}`, true],
  [`whsec_${base64(25)}`, true],
  [`whsec_${base64(64)}`, true],
  [`whsec_${base64(65)}`, false],
  [`whsec_${base64(25).replace(/=+$/, '')}`, false],
  [`whsec_${'_'.repeat(32)}`, false],
  [`whsec_${base64(24)}\n`, false],
  [`whpk_${base64(24)}`, false],
  [5, false],
])('the secret %s is taken: %s', (secret, isTaken) => {
  const hint = 'secret: Input should be "whsec_" and then 24 to 64 random bytes in base64';
  expect(messages({ url: URL_TEXT, secret })).toEqual(isTaken ? undefined : [hint]);
});

test.each([[[]], [['job.ended']], ['job.failed'], [[5]]])('the events %j are refused', (events) => {
  expect(messages({ url: URL_TEXT, secret: SECRET, events })?.join()).toContain(
    'Input should be a list with some of job.completed, job.aborted, job.failed',
  );
});

test('what is shown of it has neither its secret nor its query', () => {
  const callback = parse({ url: 'https://hooks.example.org/a?b=canary?c', secret: SECRET }).data;
  expect(showCallback(callback as NonNullable<typeof callback>)).toEqual({
    url: 'https://hooks.example.org/a',
    events: [...CALLBACK_EVENTS],
  });
});
