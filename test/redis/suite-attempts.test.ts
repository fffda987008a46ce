/** Attempts at a suite that come to nothing: what is left to the next, and what the last one says. */
import { hash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { GivenUpError, RetryLaterError } from '../../workers/courier/errors.ts';
import type { ShownCheckRun } from '../support/github-api/check-runs.ts';
import { redisOfFile } from '../support/redis.ts';
import { SuiteBench, type ServiceReply } from '../support/suite-bench.ts';
import { notebookText } from '../support/suite-notebooks.ts';

const file = await redisOfFile();
const id = 'a'.repeat(32);
let bench: SuiteBench;
let commit: string;
beforeAll(async () => {
  bench = await SuiteBench.start(file.redis);
  commit = bench.git.commitOnly({ 'noteburst.yaml': 'include: "*.ipynb"\n', 'a.ipynb': notebookText(['1']) });
}, 30_000);
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(async () => {
  bench.reset();
  await file.redis.flushdb();
});

const check = () => bench.github.checkRuns[0];
const state = async () => (await bench.runs.find(id))?.state;
const LATER = { 'Retry-After': '3600' };

/** Jobs by idempotency key, which have ended as the test says when they are asked for again; who cancels is noted. */
function serviceWith(endOf: (key: string) => object): { keys: string[]; cancelled: string[] } {
  const keys: string[] = [];
  const cancelled: string[] = [];
  const jobOf = (key: string, end = endOf(key)) => ({
    job_id: `job-${keys.indexOf(key)}`,
    kernel_name: 'lsst',
    enqueue_time: '2026-11-20T10:00:00Z',
    status: 'in_progress',
    phase: 'running',
    self_url: 'https://data.example.org/noteburst/v1/notebooks/job',
    timeout: 300,
    ...end,
  });
  bench.service = ({ method, url = '', headers }): ServiceReply => {
    if (method === 'POST') {
      const key = String(headers['idempotency-key']);
      if (keys.includes(key)) return { status: 202, json: jobOf(key) };
      keys.push(key);
      return { status: 202, json: jobOf(key, {}) };
    }
    if (method === 'DELETE') cancelled.push(url);
    return { status: 200, json: jobOf(keys[Number.parseInt(url.split('job-')[1] ?? '', 10)] ?? '') };
  };
  return { keys, cancelled };
}
const passed = { status: 'complete', phase: 'completed', success: true };
const lost = {
  status: 'complete',
  phase: 'failed',
  success: false,
  error: { code: 'unknown', message: 'The lab went away', reason: 'lab_lost' },
};

describe('a courier that is lost over it', () => {
  test('three times is given another try', async () => {
    serviceWith(() => passed);
    await bench.run({ commit, run: id }, { attempt: 4, losses: 3, isLast: false });
    expect(check()).toMatchObject({ status: 'completed', conclusion: 'success' });
  });

  test('more often is not: its check ends, and the repository is not read', async () => {
    await bench.run({ commit: 'b'.repeat(40), run: id }, { attempt: 5, losses: 4, isLast: false });
    expect(check()).toMatchObject({ status: 'completed', conclusion: 'failure' });
    expect(check()?.output.summary).toContain('was lost 4 times while it ran this suite');
    expect(await state()).toBe('ended');
  });
});

describe('GitHub takes no check run', () => {
  test('for good: the run has ended', async () => {
    bench.github.instead = () => ({ status: 422, json: { message: 'Invalid request.' } });
    await expect(bench.run({ commit, run: id }, { isLast: false })).rejects.toThrow('GitHub refused it');
    expect(await bench.runs.find(id)).toMatchObject({
      state: 'ended',
      conclusion: 'failure',
      title: 'GitHub did not take its check run',
      finished: expect.any(String),
    });
  });

  test('for now: another attempt may end it, but after the last nobody would', async () => {
    bench.github.instead = () => ({ status: 429, headers: LATER });
    await expect(bench.run({ commit, run: id }, { isLast: false })).rejects.toThrow(RetryLaterError);
    const begun = await bench.runs.find(id);
    expect(begun?.state).toBe('running');
    await expect(bench.run({ commit, run: id })).rejects.toThrow(RetryLaterError);
    expect(await bench.runs.find(id)).toMatchObject({ state: 'ended', started: begun?.started });
  });

  test('nor the end of one at the last attempt: the report is kept', async () => {
    serviceWith(() => passed);
    bench.github.instead = ({ body }) =>
      body['status'] === 'completed' ? { status: 429, headers: LATER } : undefined;
    await expect(bench.run({ commit, run: id })).rejects.toThrow(RetryLaterError);
    expect(await bench.runs.find(id)).toMatchObject({ state: 'ended', conclusion: 'success' });
    expect(await bench.runs.document(id, 'report')).toContain('passed');
  });
});

describe('trouble of the service', () => {
  test.each([503, 429])('%i is left to another attempt; the last one says so', async (status) => {
    bench.service = () => ({ status, headers: LATER });
    await expect(bench.run({ commit, run: id }, { isLast: false })).rejects.toThrow(RetryLaterError);
    expect([check()?.status, await state()]).toEqual(['in_progress', 'running']);
    expect(check()?.output.title).toBe('To be begun again');
    await bench.run({ commit, run: id });
    expect(bench.github.checkRuns).toHaveLength(1);
    expect(check()).toMatchObject({ conclusion: 'failure', output: { title: '1 could not be run' } });
    expect(check()?.output.summary).toContain('The service was in trouble');
    expect(await state()).toBe('ended');
  });

  test('what runs meanwhile runs on, for the next attempt finds it', async () => {
    const { keys, cancelled } = serviceWith(() => passed);
    const { service } = bench;
    bench.service = (request) =>
      request.method === 'GET' ? { status: 503, headers: LATER } : service(request);
    await expect(bench.run({ commit, run: id }, { isLast: false })).rejects.toThrow(RetryLaterError);
    bench.service = service;
    await bench.run({ commit, run: id }, { attempt: 2 });
    expect(check()).toMatchObject({ conclusion: 'success' });
    expect([keys.length, cancelled]).toEqual([1, []]);
  });

  test('a notebook that was lost with its lab is submitted once more, by the next attempt', async () => {
    const { keys } = serviceWith((key) => (key.endsWith('-again') ? passed : lost));
    await expect(bench.run({ commit, run: id }, { isLast: false })).rejects.toThrow('The lab went away');
    await bench.run({ commit, run: id }, { attempt: 2, isLast: false });
    expect(check()).toMatchObject({ conclusion: 'success' });
    expect(keys).toHaveLength(2);
  });

  test('one that loses its lab twice is all that is not run', async () => {
    const files = Array.from({ length: 25 }, (_, n) => [`${n}.ipynb`, notebookText([`${n}`])]);
    const many = bench.git.commitOnly({ 'noteburst.yaml': '', ...Object.fromEntries(files) });
    const hungry = hash('sha256', '0.ipynb', 'hex').slice(0, 32);
    const { keys } = serviceWith((key) => (key.includes(hungry) ? lost : passed));
    await expect(bench.run({ commit: many, run: id }, { isLast: false })).rejects.toThrow(
      'The lab went away',
    );
    expect(keys).toHaveLength(25);
    await bench.run({ commit: many, run: id }, { attempt: 2, isLast: false });
    expect(check()).toMatchObject({
      conclusion: 'failure',
      output: { title: '1 could not be run, 24 passed' },
    });
    expect(keys).toHaveLength(26);
  });

  test('one that is lost again is not begun a third time', async () => {
    const { keys } = serviceWith(() => lost);
    await expect(bench.run({ commit, run: id }, { isLast: false })).rejects.toThrow(RetryLaterError);
    await bench.run({ commit, run: id }, { attempt: 2, isLast: false });
    expect(check()).toMatchObject({ conclusion: 'failure', output: { title: '1 could not be run' } });
    expect(keys).toHaveLength(2);
  });
});

describe('what the service has not, or does not take, is told to those who ask for it', () => {
  const refused = (field: string, type: string): ServiceReply => ({
    status: 422,
    json: { detail: [{ type, msg: 'There is none of that name', loc: ['body', field] }] },
  });
  const noKernel = { ...lost, error: { ...lost.error, message: 'There is none', reason: 'unknown_kernel' } };

  test.each([
    ['image', () => void (bench.service = () => refused('image', 'unknown_pool'))],
    ['size', () => void (bench.service = () => refused('size', 'unknown_pool'))],
    ['timeout', () => void (bench.service = () => refused('timeout', 'too_big'))],
    ['kernel', () => void serviceWith(() => noKernel)],
  ])('%s', async (_, answer) => {
    answer();
    await bench.run({ commit, run: id }, { isLast: false });
    const { conclusion, output } = check() as ShownCheckRun;
    expect(conclusion).toBe('action_required');
    expect(output.annotations).toMatchObject([
      { path: 'a.ipynb', message: expect.stringContaining('There is none') },
    ]);
    expect(output.summary).toContain('There is none');
    expect(output.summary).not.toContain('trouble');
  });
});

describe('a run of yesterday', () => {
  const begunAgo = (ms: number) => {
    const of = { id, repository: bench.git.name, branch: 'main', commit, event: 'push' } as const;
    return bench.runs.write({ ...of, state: 'running', started: new Date(Date.now() - ms).toISOString() });
  };
  const DAY = { runMs: 86_400_000 };

  test('gets no other attempt: this one says what could not be run', async () => {
    await begunAgo(DAY.runMs);
    bench.service = () => ({ status: 503, headers: LATER });
    await bench.run({ commit, run: id }, { isLast: false }, DAY);
    expect(check()).toMatchObject({ conclusion: 'failure', output: { title: '1 could not be run' } });
    expect(await state()).toBe('ended');
  });

  test('nor when GitHub takes nothing', async () => {
    await begunAgo(DAY.runMs);
    bench.github.instead = () => ({ status: 429, headers: LATER });
    await expect(bench.run({ commit, run: id }, { isLast: false }, DAY)).rejects.toThrow(GivenUpError);
    expect(await state()).toBe('ended');
  });

  test('is ended when its day is over, in whichever attempt', async () => {
    const { cancelled } = serviceWith(() => ({}));
    await begunAgo(DAY.runMs - 1_000);
    await bench.run({ commit, run: id }, { isLast: false }, { ...DAY, lastMs: 500 });
    expect(check()).toMatchObject({ conclusion: 'timed_out', output: { title: '1 cancelled' } });
    expect(check()?.output.summary).toMatch(/It was ended after (24 h|1 d|23 h 59 min)/);
    expect(cancelled).toHaveLength(1);
  });
});

describe('a commit without a suite', () => {
  /** Of the branch that it is for, and whether the two have a history in common. */
  const base = ({ hasSuite = true, isRelated = true }) => {
    bench.github.instead = ({ path }) => {
      if (path.includes('/contents/')) return { status: hasSuite ? 200 : 404, json: { type: 'file' } };
      if (path.includes('/compare/')) return { status: isRelated ? 200 : 404, json: {} };
      return undefined;
    };
  };
  const without = () => bench.git.commitOnly({ 'a.ipynb': notebookText(['1']) });
  const ofBranch = { run: id, branch: 'tickets/DM-1', base: 'main' } as const;

  test.each(['pull_request', 'push', 'rerun'] as const)('that is to go where one is (%s)', async (event) => {
    base({});
    await bench.run({ ...ofBranch, commit: without(), event });
    expect(check()).toMatchObject({ conclusion: 'action_required' });
    expect(check()?.output.title).toBe('There is no noteburst.yaml any more');
  });

  test.each([
    ['where none is', { hasSuite: false }, {}],
    ['where it never goes', { isRelated: false }, {}],
    ['that is there already', {}, { branch: 'main' }],
  ])('%s is passed over', async (_, which, job) => {
    base(which);
    await bench.run({ ...ofBranch, commit: without(), ...job });
    expect(check()).toMatchObject({ conclusion: 'neutral', output: { title: 'There is no noteburst.yaml' } });
  });
});

test('a suite that takes too long is ended, with what there is', async () => {
  const { cancelled } = serviceWith(() => ({}));
  await bench.run({ commit, run: id }, { isLast: false }, { attemptMs: 500 });
  expect(check()).toMatchObject({ conclusion: 'timed_out', output: { title: '1 cancelled' } });
  expect(check()?.output.summary).toContain('It was ended after');
  expect(cancelled).toHaveLength(1);
  expect(await bench.runs.find(id)).toMatchObject({ state: 'ended', conclusion: 'timed_out' });
  expect(await bench.runs.document(id, 'report')).toContain('cancelled');
});
