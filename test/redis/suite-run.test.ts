/** What GitHub and the report have of a run, in the end. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { redisOfFile } from '../support/redis.ts';
import { SuiteBench } from '../support/suite-bench.ts';
import { notebookText } from '../support/suite-notebooks.ts';

const file = await redisOfFile();
let bench: SuiteBench;
beforeAll(async () => {
  bench = await SuiteBench.start(file.redis);
}, 30_000);
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(async () => {
  bench.reset();
  await file.redis.flushdb();
});

const id = 'a'.repeat(32);
const SUITE = 'include: "**/*.ipynb"\n';

test('an earlier report that is not understood any more is compared with nothing', async () => {
  const commit = bench.git.commitOnly({ 'noteburst.yaml': SUITE, 'a.ipynb': notebookText(['1']) });
  const of = { repository: bench.git.name, branch: 'main', commit, event: 'push', state: 'ended' } as const;
  const earlier = { id: 'b'.repeat(32), ...of, started: '2026-11-20T10:00:00.000Z' };
  await bench.runs.write(earlier, { report: '{"version":0,"results":{}}' });
  await bench.run({ commit, run: id });
  expect(bench.github.checkRuns).toMatchObject([
    { status: 'completed', output: { title: '1 could not be run' } },
  ]);
  expect(JSON.parse((await bench.runs.lastReport(bench.git.name, 'main')) ?? '')).toMatchObject({
    revision: commit,
  });
});

test.each([
  ['what came of it', 1, 'completed'],
  ['its end at all', 2, 'in_progress'],
])('GitHub does not take %s: the run has ended, and the log is told', async (_, refusals, status) => {
  const commit = bench.git.commitOnly({ 'noteburst.yaml': SUITE, 'a.ipynb': notebookText(['1']) });
  let ends = 0;
  bench.github.instead = ({ body }) =>
    body['status'] === 'completed' && ++ends <= refusals
      ? { status: 422, json: { message: 'Invalid request.' } }
      : undefined;
  await expect(bench.run({ commit, run: id })).rejects.toThrow('GitHub refused it (422)');
  expect(ends).toBe(2);
  expect(bench.github.checkRuns).toMatchObject([{ status, output: { annotations: [] } }]);
  expect(await bench.runs.find(id)).toMatchObject({ state: 'ended', title: '1 could not be run' });
});

test('a suite file that is a link asks for something to be done', async () => {
  const commit = bench.git.commitOnly({
    'noteburst.yaml': { link: 'suites/all.yaml' },
    'suites/all.yaml': SUITE,
  });
  await bench.run({ commit, run: id });
  expect(bench.github.checkRuns).toMatchObject([
    { conclusion: 'action_required', output: { summary: expect.stringContaining('is a link') } },
  ]);
});

test('what kept a suite from being run is in the log in the words of who knows it, without secrets', async () => {
  bench.git.commitOnly({ 'noteburst.yaml': SUITE });
  await bench.run({ commit: 'b'.repeat(40), run: id });
  const { summary, title } = bench.github.checkRuns[0]?.output ?? {};
  expect([title, summary]).toEqual([
    'The suite could not be run',
    expect.not.stringContaining('not our ref'),
  ]);
  expect(bench.lines.join('')).toMatch(/suite could not be run/);
  expect(bench.lines.join('')).toMatch(/The commit is not there.*not our ref/);
  expect(bench.lines.join('')).not.toMatch(/canary|Basic/);
});

test('what GitHub answered is the cause of what is thrown', async () => {
  const commit = bench.git.commitOnly({ 'noteburst.yaml': SUITE });
  bench.github.instead = () => ({ status: 422, json: { message: 'Invalid request.' } });
  await expect(bench.run({ commit, run: id })).rejects.toMatchObject({ cause: { status: 422 } });
});
