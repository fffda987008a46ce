/**
 * `npm test`: sets up what is missing, runs every check and every quick tier of tests, and ends in one line with the
 * counts. `npm test -- fidelity-jsd kinds-std7` runs these slow tiers behind them, `npm test -- all` every one.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setUp } from '../platform/setup/set-up.ts';
import { StepList } from '../platform/setup/steps.ts';
import { LAB_KINDS, ROOT, type LabKind } from '../platform/state.ts';
import { endRun, TEST_RUN_VARIABLE } from './support/test-run.ts';

interface Result {
  title: string;
  passed: number;
  failed: number;
  skipped: number;
  /** What failed, with the beginning of its message. */
  failures: string[];
  seconds: number;
}

/** As vitest's JSON reporter writes it, as far as it is read here. */
interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: {
    name: string;
    message: string;
    assertionResults: { status: string; fullName: string; failureMessages: string[] }[];
  }[];
}

const CHECKS: [title: string, ...command: string[]][] = [
  ['format', 'prettier', '--check', '.'],
  ['lint', 'oxlint', '--deny-warnings'],
  ['types', 'tsc'],
  ['dead code', 'knip'],
];
// In this order: what is quick to run and to understand fails first.
const TIERS = ['unit', 'redis', 'pages', 'lab', 'faults', 'e2e', 'contract'];
const SLOW_TIERS = [
  'start',
  'cli',
  'action',
  'fuzz',
  'faults-whole',
  'fidelity-std6',
  'fidelity-std7',
  'fidelity-jsd',
  'kinds-std6',
  'kinds-std7',
  'kinds-jsd',
  'kinds-ext',
];

const runId = randomUUID();
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
}

/** Runs a program of node_modules/.bin to its end; quiet ones show what they print only when they fail. */
async function run(command: string[], quiet: boolean): Promise<number> {
  const [program = '', ...args] = command;
  const child = spawn(join(ROOT, 'node_modules/.bin', program), args, {
    cwd: ROOT,
    env: { ...process.env, [TEST_RUN_VARIABLE]: runId },
    stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
  });
  const output: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => output.push(chunk));
  // SIGINT lets vitest tear its servers down; a terminal's Ctrl-C reaches it anyway.
  const abort = () => child.kill('SIGINT');
  stop.signal.addEventListener('abort', abort, { once: true });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('error', reject);
  child.once('close', (code) => resolve(code ?? 1));
  const code = await promise;
  stop.signal.removeEventListener('abort', abort);
  // At a second SIGINT vitest goes at once, and leaves what its tests started.
  if (stop.signal.aborted) await endRun(runId);
  if (quiet && code !== 0) process.stdout.write(Buffer.concat(output));
  return code;
}

async function timed(title: string, work: () => Promise<Omit<Result, 'title' | 'seconds'>>): Promise<Result> {
  const begun = performance.now();
  const counts = await work();
  return { title, ...counts, seconds: (performance.now() - begun) / 1_000 };
}

async function check(title: string, command: string[]): Promise<Result> {
  return timed(title, async () => {
    const failed = (await run(command, true)) === 0 ? 0 : 1;
    return { passed: 1 - failed, failed, skipped: 0, failures: failed ? [command.join(' ')] : [] };
  });
}

async function tier(name: string, reports: string): Promise<Result> {
  console.log(`\n── ${name} tests`);
  const report = join(reports, `${name}.json`);
  return timed(`${name} tests`, async () => {
    const args = [
      'run',
      '--project',
      name,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ];
    const code = await run(['vitest', ...args], false);
    const outcome = readReport(report);
    // A tier that broke outside a test, in its set-up or its leak check, has failed too.
    if (code !== 0 && outcome.failed === 0) {
      return { ...outcome, failed: 1, failures: [`vitest ended with ${code}, outside of any test`] };
    }
    return outcome;
  });
}

function readReport(path: string): Omit<Result, 'title' | 'seconds'> {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8')) as Report;
    const skipped = report.numPendingTests + report.numTodoTests;
    const failures = report.testResults.flatMap(({ name, message, assertionResults }) => [
      ...assertionResults
        .filter(({ status }) => status === 'failed')
        .map(({ fullName, failureMessages }) => `${fullName}: ${beginning(failureMessages[0])}`),
      ...(message ? [`${name}: ${beginning(message)}`] : []),
    ]);
    return { passed: report.numPassedTests, failed: report.numFailedTests, skipped, failures };
  } catch {
    return { passed: 0, failed: 1, skipped: 0, failures: ['vitest left no report'] };
  }
}

const beginning = (message = ''): string => message.split('\n').slice(0, 4).join(' ').slice(0, 600);

/** What the command line asks for beyond the quick tiers. */
function slowTiers(): string[] {
  const asked = process.argv.slice(2);
  const unknown = asked.find((name) => name !== 'all' && !SLOW_TIERS.includes(name));
  if (unknown === undefined)
    return SLOW_TIERS.filter((name) => asked.includes(name) || asked.includes('all'));
  console.error(`No slow tier is named "${unknown}": there are ${SLOW_TIERS.join(', ')}, and all`);
  process.exit(2);
}

async function main(): Promise<number> {
  const slow = slowTiers();
  const kinds = new Set<LabKind>(['std6']);
  for (const kind of LAB_KINDS) if (slow.some((tier) => tier.endsWith(`-${kind}`))) kinds.add(kind);
  await setUp({ kinds: [...kinds], steps: new StepList(), signal: stop.signal });
  const reports = mkdtempSync(join(tmpdir(), 'noteburst-test-'));
  const results: Result[] = [];
  try {
    for (const [title, ...command] of CHECKS) {
      if (!stop.signal.aborted) results.push(await check(title, command));
    }
    for (const name of [...TIERS, ...slow]) {
      if (!stop.signal.aborted) results.push(await tier(name, reports));
    }
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
  console.log('\n── summary');
  for (const { title, passed, failed, skipped, failures, seconds } of results) {
    const counts = `${passed} passed${failed ? `, ${failed} FAILED` : ''}${skipped ? `, ${skipped} skipped` : ''}`;
    console.log(
      `${failed ? '✗' : '✓'} ${title.padEnd(16)} ${counts.padEnd(28)} ${seconds.toFixed(1).padStart(7)} s`,
    );
    // Once more here: in a long log the end is what is read.
    for (const failure of failures) console.log(`    ${failure}`);
  }
  const total = (key: 'passed' | 'failed') => results.reduce((sum, result) => sum + result[key], 0);
  if (stop.signal.aborted) console.log('stopped before the end');
  console.log(`${total('passed')} passed, ${total('failed')} failed`);
  return total('failed') > 0 || stop.signal.aborted ? 1 : 0;
}

process.exitCode = await main();
