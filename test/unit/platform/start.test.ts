import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseOptions, type UsageError } from '../../../platform/start/options.ts';
import { CellProgress, problemOf, tracebackIn } from '../../../platform/start/report.ts';

const dir = mkdtempSync(join(tmpdir(), 'noteburst-start-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

const usageErrorOf = (argv: string[]): UsageError => {
  try {
    parseOptions(argv, false);
  } catch (error) {
    return error as UsageError;
  }
  throw new Error('it was taken');
};

describe('the command line', () => {
  it('has the example and the defaults', () => {
    const options = parseOptions([], false);
    expect(options).toMatchObject({
      name: 'light-curve',
      stay: false,
      kernel: 'lsst',
      executors: 1,
      timeout: '5m',
    });
    expect(parseOptions([], true).stay).toBe(true);
    expect(parseOptions(['--once'], true).stay).toBe(false);
    expect(parseOptions(['--stay'], false).stay).toBe(true);
    expect(options).not.toHaveProperty('callbacks');
    const hosts = 'internal:localhost:8443';
    expect(parseOptions(['--callbacks', hosts], false)).toMatchObject({ callbacks: hosts });
  });

  it.each([
    ['an unknown option', ['--nonsense'], /unknown option '--nonsense'/],
    ['a bad number', ['--executors', 'two'], /a whole number from 1 to 16/],
    ['once and stay', ['--once', '--stay'], /exclude each other/],
    ['no such file', ['/no/such.ipynb'], /there is no such file/],
    ['no JSON', [file('a.ipynb', 'x')], /is not JSON/],
    ['no notebook', [file('b.ipynb', '{"worksheets": []}')], /no list of cells/],
  ])('says what is wrong: %s', (_what, argv, message) => {
    const error = usageErrorOf(argv);
    expect(error.message).toMatch(message);
    expect(error.exitCode).toBe(2);
  });

  it('helps', () => {
    const help = usageErrorOf(['--help']);
    expect(help.exitCode).toBe(0);
    expect(help.message).toMatch(/Exit codes:/);
  });
});

describe('the report', () => {
  const job = { job_id: '1', self_url: 'http://x/1', status: 'complete' };
  const ipynb = JSON.stringify({
    cells: [
      { cell_type: 'markdown', source: 'x' },
      {
        outputs: [
          { output_type: 'error', traceback: ['\u001b[31mZeroDivisionError\u001b[0m', 'division by zero'] },
        ],
      },
    ],
  });

  it('shows the traceback of a notebook that raised', () => {
    expect(tracebackIn(ipynb)).toBe(
      '  In cell 2:\n    ZeroDivisionError\n    division by zero'.replaceAll('\n    ', '\n  '),
    );
    const problem = problemOf({ ...job, success: true, ipynb, ipynb_error: { name: 'E', message: 'm' } });
    expect(problem).toMatch(/^The notebook raised E: m\n\n {2}In cell 2/);
  });

  it('shows why a job failed, and nothing when all is well', () => {
    expect(problemOf({ ...job, success: false, error: { code: 'timeout', message: 'late' } })).toBe(
      'The job failed: timeout: late',
    );
    expect(problemOf({ ...job, success: true })).toBeUndefined();
  });

  it('shows each cell once, whatever the polls have missed', () => {
    const lines: string[] = [];
    const progress = new CellProgress((line) => void lines.push(line.replace(/^ +[\d.]+ s +/, '')));
    progress.show({ ...job, status: 'queued' });
    progress.show({
      ...job,
      status: 'in_progress',
      phase: 'running',
      progress: { cells_done: 2, cells_total: 3 },
    });
    progress.show({ ...job, phase: 'completed', progress: { cells_done: 3, cells_total: 3 } });
    expect(lines).toEqual([
      'queued',
      'running',
      'cell 1 of 3  █░░',
      'cell 2 of 3  ██░',
      'cell 3 of 3  ███',
      'completed',
    ]);
  });
});
