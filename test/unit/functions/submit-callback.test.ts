import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CALLBACK_EVENTS } from '../../../lib/contract/callback.ts';
import { targetKey, untoldKey } from '../../../lib/contract/job-keys.ts';
import type { JobSnapshot } from '../../../lib/queue/nbexec-queue.ts';
import { notebookResponse } from '../../../lib/http/notebook-response.ts';
import { notebookResponse as schema } from '../../../lib/contract/notebooks-api.ts';
import { API_URL } from '../../support/function-server.ts';
import { ipynb } from '../../support/notebooks.ts';
import { SubmitClient } from '../../support/submit-client.ts';

const SECRET = `whsec_${Buffer.from('a secret that is a canary').toString('base64')}`;
const URL_TEXT = 'https://hooks.example.org/noteburst?key=query-canary';
const SHOWN = { url: 'https://hooks.example.org/noteburst', events: [...CALLBACK_EVENTS] };

let client: SubmitClient;
beforeEach(async () => {
  client = await SubmitClient.start();
});
afterEach(() => client[Symbol.asyncDispose]());

const submit = (callback: unknown, rest: object = {}) => client.submit({ ipynb: ipynb(), callback, ...rest });
const theJob = () => [...client.parts.jobs.values()][0] as JobSnapshot;

describe('a callback', () => {
  test('is shown without its query and its secret, in answers and logs', async () => {
    const { status, json, text } = await submit({ url: URL_TEXT, secret: SECRET });
    expect(status).toBe(202);
    expect(json['callback']).toEqual({ ...SHOWN, state: 'waiting', attempts: 0 });
    expect(theJob().data.callback).toEqual(SHOWN);
    for (const secret of [SECRET, SECRET.slice(6), 'canary'])
      expect(text + client.server.lines.join('')).not.toContain(secret);
  });

  test('is noted with its job, all or nothing', async () => {
    const written: string[] = [];
    const { add } = client.parts.queue;
    client.parts.queue.add = async (jobId, data, along) => {
      written.push(...(along ?? []).map(({ command, key }) => `${command} ${key.replace(jobId, 'ID')}`));
      const target = along?.find(({ key }) => key === targetKey(jobId))?.args ?? [];
      expect(JSON.parse(String(target[0]))).toEqual({ ...SHOWN, url: URL_TEXT, secret: SECRET });
      return add(jobId, data, along);
    };
    await submit({ url: URL_TEXT, secret: SECRET });
    const untold = untoldKey('courier');
    expect(written).toEqual(['SET ID', `SET ${targetKey('ID')}`, `ZADD ${untold}`, `EXPIRE ${untold}`]);
  });

  test.each([undefined, null])('may be left out: %s', async (callback) => {
    const { json } = await submit(callback);
    expect(json).not.toHaveProperty('callback');
    expect(theJob().data).not.toHaveProperty('callback');
  });

  test.each([
    ['https://elsewhere.example.org/', 'host_not_allowed'],
    ['https://hooks.example.org:8443/', 'host_not_allowed'],
    ['https://inside.svc/', 'host_not_allowed'],
    ['https://10.0.0.1/', 'host_not_allowed'],
    ['https://169.254.169.254/latest/meta-data', 'host_not_allowed'],
    ['https://[::1]/', 'host_not_allowed'],
    ['https://2130706433/', 'host_not_allowed'],
    ['http://hooks.example.org/', 'value_error'],
    ['https://a:canary@hooks.example.org/', 'value_error'],
  ])('to %s is refused at once: %s', async (url, type) => {
    const { status, json, text } = await submit({ url: `${url}?canary`, secret: SECRET });
    expect(json.detail).toEqual([{ type, loc: ['body', 'callback', 'url'], msg: expect.any(String) }]);
    expect(text).not.toContain('canary');
    expect(status).toBe(422);
    expect(client.parts.jobs.size).toBe(0);
  });

  test.each(['https://a.lsst.example/hook', 'https://inside.svc:8443/'])('may go to %s', async (url) => {
    expect((await submit({ url, secret: SECRET })).status).toBe(202);
  });

  test('that is wrong in several ways is told all of them', async () => {
    const { json, text } = await submit({ url: 'canary', secret: 'canary', events: ['canary'] });
    expect(json.detail?.map(({ loc }) => loc?.slice(0, 3).join('.'))).toEqual([
      'body.callback.url',
      'body.callback.secret',
      'body.callback.events',
    ]);
    expect(text).not.toContain('canary');
    expect((await submit({})).json.detail).toEqual([
      { type: 'missing', loc: ['body', 'callback', 'url'], msg: 'Field required' },
      { type: 'missing', loc: ['body', 'callback', 'secret'], msg: 'Field required' },
    ]);
    expect((await submit('https://hooks.example.org')).json.detail?.[0]?.msg).toBe(
      'Input should be an object with url and secret',
    );
  });

  test('is part of what makes two submissions the same', async () => {
    const other = `whsec_${Buffer.alloc(24).toString('base64')}`;
    const callbacks = [
      undefined,
      { url: URL_TEXT, secret: SECRET },
      { url: `${URL_TEXT}2`, secret: SECRET },
      { url: URL_TEXT, secret: other },
      { url: URL_TEXT, secret: SECRET, events: ['job.failed'] },
    ];
    for (const callback of callbacks) await submit(callback, { coalesce: true });
    const prints = client.parts.asked.map(({ fingerprint }) => fingerprint);
    expect(new Set(prints).size).toBe(callbacks.length);
    // Said in another way, it is the same.
    await submit({ url: URL_TEXT, secret: SECRET, events: CALLBACK_EVENTS.toReversed() });
    expect(client.parts.asked.at(-1)?.fingerprint).toBe(prints[1]);
  });
});

describe('what is shown of a callback', () => {
  const delivery = {
    state: 'delivered',
    attempts: 2,
    last_attempt_time: '2026-03-01T12:00:10.100Z',
  } as const;
  const shown = (job: Partial<JobSnapshot>) =>
    notebookResponse({ ...theJob(), ...job }, API_URL, false).callback;

  test('follows the job, and then the delivery', async () => {
    await submit({ url: URL_TEXT, secret: SECRET });
    expect(shown({ state: 'active' })).toMatchObject({ state: 'waiting' });
    expect(shown({ state: 'ended' })).toEqual({ ...SHOWN, state: 'delivering', attempts: 0 });
    expect(shown({ state: 'ended', delivery })).toEqual({ ...SHOWN, ...delivery });
    const whole = notebookResponse({ ...theJob(), state: 'ended', delivery }, API_URL, true);
    expect(schema.strict().parse(whole)).toEqual(whole);
  });
});
