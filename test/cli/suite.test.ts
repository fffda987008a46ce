import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseNotebook } from '../../lib/contract/nbformat.ts';
import { suiteReport, type CaseResult, type SuiteReport } from '../../suite/report.ts';
import { junitFaults } from '../support/junit.ts';
import { GOOD, writeNotebook, writeSuite } from '../support/suite-notebooks.ts';
import { Command, type Said } from './support/command.ts';

const command = new Command();

describe('a suite of thirty notebooks', () => {
  let said: Said;
  let report: SuiteReport;
  beforeAll(async () => {
    writeSuite(command.dir);
    const files = ['json', 'html', 'junit', 'markdown'].flatMap((kind) => [
      `--${kind}`,
      `reports/report.${kind}`,
    ]);
    said = await command.run(['run', '--out', 'executed', ...files]);
    report = suiteReport.parse(JSON.parse(readFileSync(join(command.dir, 'reports/report.json'), 'utf8')));
  }, 120_000);

  const result = (path: string) => report.results.find((each) => each.path === path) as CaseResult;
  /** The line of a notebook's file that has this text. */
  const lineOf = (path: string, part: string) =>
    readFileSync(join(command.dir, path), 'utf8')
      .split('\n')
      .findIndex((line) => line.includes(part)) + 1;

  test('gets a verdict for each that is not left out, and a code that says that some failed', () => {
    expect(said.stderr).toBe('');
    const verdicts = Object.groupBy(report.results, ({ verdict }) => verdict);
    const names = Object.fromEntries(
      Object.entries(verdicts).map(([how, of]) => [how, of.map(({ name }) => name)]),
    );
    expect(names).toEqual({
      passed: Array.from({ length: GOOD }, (_, n) => `good/notebook-${String(n + 1).padStart(2, '0')}.ipynb`),
      failed: ['wrong/hangs.ipynb', 'wrong/kills.ipynb', 'wrong/missing.ipynb', 'wrong/raises.ipynb'],
      expected_failure: ['wrong/expected.ipynb'],
    });
    expect(said.code).toBe(1);
  });

  test('tells where each of them failed', () => {
    const failures = Object.fromEntries(report.results.map(({ path, failure }) => [path, failure]));
    expect(failures['wrong/missing.ipynb']).toMatchObject({
      reason: 'exception',
      name: 'NameError',
      place: { cell: 1, cell_line: 1, file_line: lineOf('wrong/missing.ipynb', 'a + missing') },
    });
    expect(failures['wrong/raises.ipynb']).toMatchObject({
      name: 'ValueError',
      place: { cell: 1, cell_line: 2, file_line: lineOf('wrong/raises.ipynb', 'return math.sqrt') },
    });
    expect(failures['wrong/hangs.ipynb']).toMatchObject({
      reason: 'run_timeout',
      place: { cell: 1, cell_line: 2, file_line: lineOf('wrong/hangs.ipynb', 'time.sleep') },
    });
    expect(failures['wrong/kills.ipynb']).toMatchObject({ reason: 'kernel_died', place: { cell: 1 } });
  });

  test('prints a line for each, tracebacks without colours, and a summary', () => {
    expect(said.stdout).toMatch(/^✓ good\/notebook-01\.ipynb +[\d.]+ m?s$/m);
    expect(said.stdout).toMatch(
      /^~ wrong\/expected\.ipynb .*failed as expected: NotImplementedError: not yet$/m,
    );
    const line = lineOf('wrong/missing.ipynb', 'a + missing');
    expect(said.stdout).toContain(`wrong/missing.ipynb:${line}: cell 1, line 1 (line ${line} of the file)`);
    expect(said.stdout).toContain("NameError: name 'missing' is not defined");
    expect(said.stdout).not.toContain('\u001B');
    expect(said.stdout).toMatch(new RegExp(`^4 failed, 1 failed as expected, ${GOOD} passed in `, 'm'));
  });

  test('keeps what was executed, also in part', () => {
    expect(result('good/notebook-01.ipynb').executed).toBe('../executed/good/notebook-01.ipynb');
    const executed = (path: string) =>
      parseNotebook(readFileSync(join(command.dir, 'reports', result(path).executed ?? ''), 'utf8'));
    expect(executed('good/notebook-01.ipynb').cells[3]).toMatchObject({
      outputs: [{ text: '{"n": 100}\n' }],
    });
    expect(executed('wrong/hangs.ipynb').cells[0]).toMatchObject({ outputs: [{ text: 'until here\n' }] });
  });

  test('is reported as a page, as JUnit XML and in Markdown, and compared with an earlier run', async () => {
    const written = (kind: string) => readFileSync(join(command.dir, `reports/report.${kind}`), 'utf8');
    expect(await junitFaults(written('junit'))).toEqual([]);
    expect(written('junit')).toContain('failures="4"');
    expect(written('html')).toContain('href="./../executed/wrong/missing.ipynb"');
    expect(written('markdown')).toContain('NameError');
    writeNotebook(join(command.dir, 'wrong/missing.ipynb'), ['a = 1', 'a + 1']);
    const { code, stdout } = await command.run(['run', 'wrong', '--previous', 'reports/report.json']);
    expect(stdout).toContain('fixed: wrong/missing.ipynb');
    expect(stdout).toContain('gone: good/notebook-01.ipynb');
    expect(code).toBe(1);
  });
});
