/** A super-notebook judges as the command does: both ask one service, which answers each notebook as the table says. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NoteburstClient } from '../../client/client.ts';
import type { SuiteCase } from '../../suite/plan.ts';
import { isAskedWrongly, type CaseResult } from '../../suite/report.ts';
import { runSuite } from '../../suite/run-suite.ts';
import { json } from '../support/fake-http.ts';
import { writeNotebook } from '../support/suite-notebooks.ts';
import { startSuperNotebook } from './support/super-notebook.ts';

interface Answer {
  what: string;
  /** That of a submission which is not taken. */
  status?: number;
  /** What the refusal says, or what is told of the job that has ended. */
  body: object;
  expected?: { reason: string; error?: string };
  /** The super-notebook's word. */
  verdict: string;
}

const ended = (reason: string, code = 'jupyter_error') => ({ error: { code, reason, message: 'No' } });
const raised = { ipynb_error: { name: 'KeyError', message: 'u' } };
const refused = (type: string, ...loc: string[]) => ({ detail: [{ type, msg: 'No', loc }] });
const DM = { reason: 'DM-1' };

const ANSWERS: Answer[] = [
  { what: 'well', body: {}, verdict: 'passed' },
  { what: 'well, unexpectedly', body: {}, expected: DM, verdict: 'unexpected pass' },
  { what: 'an exception', body: raised, verdict: 'failed' },
  {
    what: 'the expected one',
    body: raised,
    expected: { ...DM, error: 'KeyError' },
    verdict: 'expected failure',
  },
  { what: 'another one', body: raised, expected: { ...DM, error: 'NameError' }, verdict: 'failed' },
  ...['cell_timeout', 'kernel_died'].flatMap((reason) => [
    { what: reason, body: ended(reason), verdict: 'failed' },
    { what: `${reason}, as expected`, body: ended(reason), expected: DM, verdict: 'expected failure' },
  ]),
  ...['lab_lost', 'executor_lost', 'expired'].map((reason) => ({
    what: reason,
    body: ended(reason),
    expected: DM,
    verdict: 'trouble',
  })),
  { what: 'no kernel', body: ended('unknown_kernel'), expected: DM, verdict: 'wrong options' },
  { what: 'a cancel', body: ended('cancelled'), expected: DM, verdict: 'cancelled' },
  { what: 'an end of 0.27', body: { error: { code: 'jupyter_error' } }, verdict: 'trouble' },
  { what: 'a timeout of 0.27', body: { error: { code: 'timeout' } }, verdict: 'failed' },
  {
    what: 'the expected timeout of 0.27',
    body: { error: { code: 'timeout' } },
    expected: { ...DM, error: 'timeout' },
    verdict: 'expected failure',
  },
  {
    what: 'no such image',
    status: 422,
    body: refused('unknown_pool', 'body', 'image'),
    verdict: 'wrong options',
  },
  { what: 'no notebook', status: 422, body: refused('value_error', 'body', 'ipynb'), verdict: 'failed' },
  { what: 'no JSON', status: 422, body: refused('json_invalid', 'body'), verdict: 'failed' },
  { what: 'too large', status: 413, body: {}, verdict: 'failed' },
  {
    what: 'another with its key',
    status: 422,
    body: refused('idempotency_key_reused', 'header', 'Idempotency-Key'),
    verdict: 'trouble',
  },
  { what: 'no such token', status: 401, body: { detail: 'words' }, verdict: 'trouble' },
  { what: 'a file that is gone', body: {}, verdict: 'failed' },
];

let dir: string;
let service: Server;
let baseUrl: string;
let cases: SuiteCase[];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'noteburst-verdicts-'));
  const job = (n: number, status: string, more: object = {}) => ({
    job_id: `nbexec-${n}`,
    kernel_name: 'lsst',
    enqueue_time: '2026-01-01T00:00:00Z',
    status,
    timeout: 300,
    phase: status === 'complete' ? 'completed' : 'queued',
    self_url: `${baseUrl}/v1/notebooks/nbexec-${n}`,
    ...more,
  });
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const asked = await text(request);
    if (request.method !== 'POST') {
      const n = Number(/\d+$/.exec(request.url ?? '')?.[0]);
      return json(response, 200, job(n, 'complete', ANSWERS[n]?.body));
    }
    const { n } = (JSON.parse(asked) as { parameters: { n: number } }).parameters;
    const { status, body = {} } = ANSWERS[n] ?? {};
    return status === undefined ? json(response, 202, job(n, 'queued')) : json(response, status, body);
  };
  service = createServer((request, response) => void answer(request, response));
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  baseUrl = `http://127.0.0.1:${(service.address() as AddressInfo).port}/noteburst`;
  cases = ANSWERS.map(({ what, expected }, n) => {
    const path = `${n}.ipynb`;
    const file = join(dir, path);
    if (what !== 'a file that is gone') writeNotebook(file, ['1']);
    const options = { parameters: { n } };
    return { name: what, path, file, options, ...(expected && { expectedFailure: expected }) };
  });
});

afterAll(async () => {
  service.closeAllConnections();
  service.close();
  await once(service, 'close');
  rmSync(dir, { recursive: true });
});

const asThere = (result: CaseResult): string => {
  if (result.verdict !== 'error') return result.verdict.replace('_', ' ');
  return isAskedWrongly(result) ? 'wrong options' : 'trouble';
};

const WANTED = Object.fromEntries(ANSWERS.map(({ what, verdict }) => [what, verdict]));

test('the command', async () => {
  const client = new NoteburstClient({ baseUrl, token: 'gt-a.b' });
  const { signal } = new AbortController();
  const told: Record<string, string> = {};
  // Each by itself: after trouble no more is begun.
  for (const which of cases) {
    const [result] = await runSuite({ client, cases: [which], atOnce: 1, signal });
    told[which.name] = asThere(result as CaseResult);
  }
  expect(told).toEqual(WANTED);
});

test('the super-notebook', async () => {
  const child = startSuperNotebook(dir, baseUrl, cases, 4);
  await once(child, 'close');
  const printed = child.printed();
  const table = printed.slice(printed.lastIndexOf('<table>'));
  const rows = [...table.matchAll(/<tr><td>\S+ ([a-z ]+)<td>(?:<a [^>]*>)?([^<]+)/g)];
  expect(Object.fromEntries(rows.map(([, verdict, what]) => [what, verdict])), printed).toEqual(WANTED);
  const well = ['passed', 'expected failure'];
  const count = ANSWERS.filter(({ verdict }) => well.includes(verdict)).length;
  expect(printed).toContain(`${count} of ${ANSWERS.length} are well`);
});
