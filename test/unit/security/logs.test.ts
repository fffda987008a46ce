/** "Logs" of the security design: no tokens, no bodies, in any log or error. */
import { expect, test } from 'vitest';
import { newJobId } from '../../../lib/contract/nbexec-job.ts';
import { putJob } from '../../support/ended-job.ts';
import { MemoryParts, QUEUE_NAME, serve, TOKENS } from '../../support/function-server.ts';
import { ipynb } from '../../support/notebooks.ts';

const CANARY = 'canary7f3a';
const id = newJobId(QUEUE_NAME);
const NOTEBOOKS = '/noteburst/v1/notebooks/';
const JOB = NOTEBOOKS + id;

const IDENTITIES = [
  {},
  { 'X-Auth-Request-User': 'alice', 'X-Auth-Request-Token': TOKENS.alice },
  { 'X-Auth-Request-User': 'bob', 'X-Auth-Request-Token': TOKENS.bob },
  { 'X-Auth-Request-User': CANARY, 'X-Auth-Request-Token': `gt-${CANARY}.${CANARY}` },
];
const HEADERS = [
  {},
  { Accept: 'application/problem+json', Authorization: `Bearer ${CANARY}`, Cookie: `a=${CANARY}` },
  { 'Content-Type': CANARY },
  { 'Content-Encoding': CANARY },
  { 'Content-Encoding': 'gzip' },
  { 'Last-Event-ID': CANARY, Prefer: `wait=${CANARY}`, 'If-None-Match': CANARY },
  { 'Sec-Fetch-Site': CANARY, Accept: CANARY },
];
const BODIES = [
  CANARY,
  `{"${CANARY}": ${CANARY}`,
  JSON.stringify({ ipynb: ipynb({ cells: CANARY }) }),
  JSON.stringify({ ipynb: CANARY, [CANARY]: CANARY, parameters: { a: CANARY } }),
  JSON.stringify({ ipynb: ipynb({ metadata: { a: CANARY } }), parameters: { a: CANARY } }),
];

test('neither tokens nor bodies are in any log or error, whatever is sent and whatever fails', async () => {
  const parts = new MemoryParts();
  await using submit = await serve(parts.submit());
  await using status = await serve(parts.status());
  const answers: { status: number; text: string }[] = [];
  const send = async (url: string, init: RequestInit) => {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(10_000) });
    const text = response.status < 400 ? '' : await response.text();
    if (text === '') await response.body?.cancel();
    answers.push({ status: response.status, text });
  };
  const everything = async () => {
    for (const identity of IDENTITIES) {
      for (const extra of HEADERS) {
        const headers: HeadersInit = { 'Content-Type': 'application/json', ...identity, ...extra };
        for (const body of BODIES) await send(submit.url + NOTEBOOKS, { method: 'POST', headers, body });
        for (const path of [JOB, `${JOB}?source=${CANARY}`, `${JOB}/events`, `${JOB}/ipynb`, `${JOB}%ZZ`]) {
          await send(`${status.url}${path}`, { headers });
        }
        await send(status.url + JOB, { method: 'DELETE', headers });
      }
    }
  };
  putJob(parts, id);
  await everything();
  // What Redis refuses comes with the command, and with it what was to be written.
  const refuse = async () => {
    throw Object.assign(new Error('OOM command not allowed'), { name: 'ReplyError' });
  };
  Object.assign(parts.store, { getResult: refuse, getSource: refuse });
  await everything();
  Object.assign(parts.queue, { find: refuse, add: refuse });
  await everything();

  // All kinds of refusal were met.
  for (const code of [400, 401, 403, 404, 415, 422])
    expect(answers.map(({ status }) => status)).toContain(code);
  expect(answers.filter(({ status }) => status >= 500 && status !== 503)).toEqual([]);
  expect(answers.some(({ status }) => status === 503)).toBe(true);
  const said = [...submit.lines, ...status.lines, ...answers.map(({ text }) => text)].join('\n');
  expect(said).toContain('Redis did not answer');
  for (const secret of [CANARY, TOKENS.alice, TOKENS.bob]) expect(said).not.toContain(secret);
}, 60_000);
