import { beforeEach, expect, test, vi } from 'vitest';
import { RefusedError, UnreachableError } from '../../../client/client-error.ts';
import type { NotebookResponse } from '../../../lib/contract/notebooks-api.ts';
import { SuiteService, type SuiteServiceParts } from '../../../workers/courier/suites/suite-service.ts';
import { Turns } from '../../../workers/courier/turns.ts';
import { capturedLog } from '../../support/log.ts';

const { log, lines } = capturedLog();
const { signal } = new AbortController();
const job = (id: string): NotebookResponse => ({
  job_id: id,
  kernel_name: 'lsst',
  status: 'complete',
  phase: 'completed',
  enqueue_time: '2026-11-21T10:00:00Z',
  self_url: `https://data.example.org/noteburst/v1/notebooks/${id}`,
  timeout: 300,
  ipynb: 'large',
});
/** Answers with an executed notebook that are there, and the most that were. */
let held: number;
let most: number;
let answer: (id: string) => Promise<NotebookResponse>;
let turns: Turns;

beforeEach(() => {
  held = most = 0;
  lines.length = 0;
  turns = new Turns();
  answer = async (id) => job(id);
});

async function large(id: string): Promise<NotebookResponse> {
  most = Math.max(most, ++held);
  try {
    // As long as others have to begin as well.
    await new Promise(setImmediate);
    return await answer(id);
  } finally {
    held -= 1;
  }
}

function service(): SuiteService {
  const client: SuiteServiceParts['client'] = {
    submit: (_, options) => large(options?.idempotencyKey ?? ''),
    get: (id) => large(id),
    wait: async (id, options) => {
      expect(options?.result).toBe(false);
      return job(id);
    },
    cancel: async (id) => job(id),
    events: async function* () {},
    pageOf: (id) => id,
  };
  return new SuiteService({ client, turns, mayCancel: () => true, log });
}
const ten = Array.from({ length: 10 }, (_, n) => `job-${n}`);

test('of all suites, one executed notebook at a time is there until it is dealt with', async () => {
  const suites = [service(), service(), service()];
  const use = async ({ job_id, ipynb }: NotebookResponse) => {
    most = Math.max(most, ++held);
    await new Promise(setImmediate);
    held -= 1;
    return `${job_id}: ${ipynb}`;
  };
  const used = suites.flatMap((suite) => ten.map((id) => suite.whole(id, use, signal)));
  expect(await Promise.all(used)).toEqual(suites.flatMap(() => ten.map((id) => `${id}: large`)));
  expect(most).toBe(1);
});

test('what was run before is submitted again one at a time, and brings nothing', async () => {
  const suites = [service(), service()];
  const submitted = suites.flatMap((suite) =>
    ten.map((idempotencyKey) => suite.submit({ ipynb: '{}' }, { idempotencyKey })),
  );
  for (const each of await Promise.all(submitted)) expect(each).not.toHaveProperty('ipynb');
  expect(most).toBe(1);
});

test('who waited behind one that found the service away does not wait for it again', async () => {
  let asked = 0;
  answer = () => Promise.reject(new UnreachableError(`away ${++asked}`));
  const suite = service();
  const all = await Promise.allSettled(ten.map((id) => suite.whole(id, async () => id, signal)));
  expect(new Set(all.map((each) => (each as PromiseRejectedResult).reason.message))).toEqual(
    new Set(['away 1']),
  );
  // Later it may be there.
  answer = async (id) => job(id);
  await vi.waitFor(async () => expect(await suite.whole('a', async () => 'there', signal)).toBe('there'));
});

test('what is wrong with one notebook is not said of others', async () => {
  let asked = 0;
  answer = () => Promise.reject(new RefusedError(404, `not there ${++asked}`));
  const suite = service();
  await Promise.allSettled(ten.map((id) => suite.whole(id, async () => id, signal)));
  expect(asked).toBe(10);
});

test('a token that is refused is told to the operators once, as an error', async () => {
  answer = () => Promise.reject(new RefusedError(401, 'The token is not valid'));
  const suite = service();
  const all = ten.map((idempotencyKey) => suite.submit({ ipynb: '{}' }, { idempotencyKey }));
  await Promise.allSettled(all);
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 50,
    msg: 'the service refuses the token of suites',
  });
});

test('who has to go does not wait for a turn and then ask', async () => {
  const stop = new AbortController();
  const suite = service();
  let asked = 0;
  answer = async (id) => {
    asked += 1;
    stop.abort(new Error('has to go'));
    return job(id);
  };
  const all = await Promise.allSettled(ten.map((id) => suite.whole(id, async () => id, stop.signal)));
  expect(asked).toBe(1);
  expect(all.at(-1)).toMatchObject({ status: 'rejected', reason: { message: 'has to go' } });
});
