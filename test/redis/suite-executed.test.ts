/** What a repository's suite leaves of its executed notebooks, and what they are compared with. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SuiteJobData } from '../../lib/contract/suite-job.ts';
import { goodKey } from '../../lib/queue/github-keys.ts';
import { commitRunId } from '../../lib/queue/run-id.ts';
import type { SuiteReport } from '../../suite/report.ts';
import { RetryLaterError } from '../../workers/courier/errors.ts';
import { PlayedNotebooks } from '../support/played-notebooks.ts';
import { redisOfFile } from '../support/redis.ts';
import { SuiteBench } from '../support/suite-bench.ts';
import { notebookText } from '../support/suite-notebooks.ts';

const file = await redisOfFile();
const service = new PlayedNotebooks();
let bench: SuiteBench;
beforeAll(async () => {
  bench = await SuiteBench.start(file.redis);
}, 30_000);
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(async () => {
  bench.reset();
  bench.service = (request) => service.answer(request);
  await file.redis.flushdb();
});

let count = 0;
/** Runs the suite of a new commit with these files. */
const ran = (files: Record<string, string>, of: Partial<SuiteJobData> = {}) =>
  ranAt(bench.git.commitOnly({ ...files, [`run-${++count}.txt`]: '' }), of);
async function ranAt(commit: string, of: Partial<SuiteJobData>) {
  const id = of.event === 'rerun' ? String(++count).padStart(32, '0') : commitRunId(bench.git.name, commit);
  await bench.run({ commit, run: id, ...of });
  return { id, commit, report: JSON.parse((await bench.runs.document(id, 'report')) ?? '{}') as SuiteReport };
}
const resultsOf = ({ results }: SuiteReport) => results.map(({ name, verdict }) => `${name}: ${verdict}`);

test('executed notebooks are beside the report, which leads to nothing within the platform', async () => {
  service.play = (source) => (source === 'fail' ? { raises: 'KeyError' } : { text: `out of ${source}\n` });
  const { id, report } = await ran({
    'noteburst.yaml': 'name: Tutorials\n',
    'deep/bad.ipynb': notebookText(['a', 'fail', 'b']),
    'good.ipynb': notebookText(['a']),
  });
  expect(resultsOf(report)).toEqual(['deep/bad.ipynb: failed', 'good.ipynb: passed']);
  expect(report.results.map(({ executed }) => executed)).toEqual([
    `${id}/notebooks/0-bad.ipynb`,
    `${id}/notebooks/1-good.ipynb`,
  ]);
  expect((await bench.runs.notebook(id, '0-bad.ipynb'))?.toString()).toContain('out of a');
  const page = (await bench.runs.document(id, 'page')) ?? '';
  expect(page).toContain(`href="./${id}/notebooks/0-bad.ipynb"`);
  const shown = [JSON.stringify(report), page, JSON.stringify(bench.github.checkRuns)];
  for (const text of shown) expect(text).not.toMatch(/127\.0\.0\.1|v1\/notebooks/);
  expect(report.service).toBe('https://data.example.org/noteburst');
});

test('outputs are compared with those of the last run in which the notebook passed', async () => {
  let value = 1;
  service.play = () => ({ text: `value ${value}\n` });
  const suite = { 'noteburst.yaml': 'regression: { against: last }\n', 'a.ipynb': notebookText(['a']) };
  const first = await ran(suite);
  expect(first.report.results[0]).toMatchObject({
    verdict: 'passed',
    warnings: ['There are no earlier outputs to compare with'],
  });
  expect((await ran(suite)).report.results[0]).not.toHaveProperty('warnings');
  value = 2;
  // Also the second one fails: a run that has failed is nothing to compare with.
  for (let n = 0; n < 2; n++) {
    const { report } = await ran(suite);
    expect(report.results[0]).toMatchObject({ verdict: 'failed', failure: { reason: 'regression' } });
    expect(report.results[0]?.failure?.differences?.[0]?.diff).toContain('-value 1\n+value 2');
  }
  expect(bench.github.checkRuns.at(-1)).toMatchObject({ conclusion: 'failure' });
});

describe('a last good run that cannot be read', () => {
  const suite = { 'noteburst.yaml': 'regression: { against: last }\n', 'a.ipynb': notebookText(['a']) };
  beforeEach(() => void (service.play = () => ({ text: 'value\n' })));

  test('as Redis does not answer as it should: nothing passes, and nothing takes its place', async () => {
    await ran(suite);
    const commit = bench.git.commitOnly({ ...suite, 'other.txt': '' });
    const key = goodKey(bench.git.name, 'main');
    await file.redis.rename(key, 'elsewhere');
    await file.redis.set(key, 'no hash');
    const run = 'f'.repeat(32);
    await expect(bench.run({ commit, run }, { isLast: false })).rejects.toThrow(RetryLaterError);
    await file.redis.rename('elsewhere', key);
    await bench.run({ commit, run }, { isLast: false });
    const { conclusion, output } = bench.github.checkRuns.at(-1) ?? {};
    expect([conclusion, output?.summary]).toEqual(['success', expect.not.stringContaining('Warnings')]);
  });

  test('as it is damaged: there is a warning, and this run takes its place', async () => {
    await ran(suite);
    await file.redis.hset(goodKey(bench.git.name, 'main'), 'a.ipynb', 'damaged');
    const { report } = await ran(suite);
    const warnings = [expect.stringContaining('The last good run cannot be read')];
    expect(report.results[0]).toMatchObject({ verdict: 'passed', warnings });
    expect((await ran(suite)).report.results[0]).not.toHaveProperty('warnings');
  });
});

test('what is different on purpose is taken by another name in the suite file, on a branch as well', async () => {
  let value = 1;
  service.play = () => ({ text: `value ${value}\n` });
  const suite = (baseline: string) => ({
    'noteburst.yaml': `regression: { against: last, baseline: ${baseline} }\n`,
    'a.ipynb': notebookText(['a']),
  });
  const topic = { branch: 'topic', base: 'main' };
  await ran(suite('v1'));
  value = 2;
  expect((await ran(suite('v1'), topic)).report.results[0]).toMatchObject({ verdict: 'failed' });
  expect((await ran(suite('v2'), topic)).report.results[0]).toMatchObject({ verdict: 'passed' });
  expect((await ran(suite('v2'))).report.results[0]).toMatchObject({ verdict: 'passed' });
  value = 3;
  expect((await ran(suite('v2'))).report.results[0]).toMatchObject({ verdict: 'failed' });
});

test('a re-run of an older commit is nothing to compare with', async () => {
  service.play = () => ({ text: 'value 1\n' });
  const suite = { 'noteburst.yaml': 'regression: { against: last }\n', 'a.ipynb': notebookText(['a']) };
  const old = await ran(suite);
  const newer = await ran({ ...suite, 'b.ipynb': notebookText(['b']) });
  const again = await ranAt(old.commit, { event: 'rerun' });
  expect(again.report.results[0]).toMatchObject({ verdict: 'passed' });
  expect(JSON.parse((await bench.runs.lastReport(bench.git.name, 'main')) ?? '')).toEqual(newer.report);
  // The old suite has no b.ipynb: its end would have deleted what b.ipynb is compared with.
  const { report } = await ran({ ...suite, 'b.ipynb': notebookText(['b']) });
  expect(report.results.flatMap(({ warnings = [] }) => warnings)).toEqual([]);
});
