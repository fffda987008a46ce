/** `npm run bench`: the service and nbclient side by side in one run, medians and ratios. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { NotebookResponse } from '../lib/contract/notebooks-api.ts';
import { startPlatform, type Platform } from '../platform/platform.ts';
import { StepList } from '../platform/setup/steps.ts';
import { pythonOf } from '../platform/setup/venv.ts';
import { ROOT } from '../platform/state.ts';

const RUNS = 9;
const SLEEPERS = 8;
const POLL_MS = 5;
// Between runs, so that each finds the kernels warm that the last one used up.
const PAUSE_MS = 1_500;
const TIMEOUT_MS = 60_000;

const notebook = (sources: string[]) => ({
  nbformat: 4,
  nbformat_minor: 4,
  metadata: {},
  cells: sources.map((source) => ({
    cell_type: 'code',
    source,
    metadata: {},
    outputs: [],
    execution_count: null,
  })),
});
const fiveCells = notebook(Array.from({ length: 5 }, (_, n) => `print(${n})`));
const sleeper = notebook(['import time; time.sleep(2)']);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stop.abort(new Error(signal)));

const stateDir = mkdtempSync(join(tmpdir(), 'noteburst-bench-'));
try {
  await using platform = await startPlatform(
    {
      stateDir,
      executors: 1,
      executorEnv: {
        NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: String(SLEEPERS),
        NOTEBURST_WORKER_GRACE_SECONDS: '2',
      },
      logLevel: 'WARNING',
      steps: new StepList(),
    },
    stop.signal,
  );
  await platform.executors[0]?.ready();
  await measure(platform);
} finally {
  rmSync(stateDir, { recursive: true, force: true });
}

async function measure(platform: Platform): Promise<void> {
  const token = await platform.createToken({ username: 'bench' });
  const run = async (ipynb: object) => endToEnd(platform.noteburstUrl, token, ipynb);
  await run(fiveCells);

  const ours: number[] = [];
  for (let n = 0; n < RUNS; n++) {
    await sleep(PAUSE_MS, undefined, { signal: stop.signal });
    ours.push(await run(fiveCells));
  }
  const peer = await nbclient(platform.venvDir, fiveCells);
  await sleep(2 * PAUSE_MS, undefined, { signal: stop.signal });
  const begun = performance.now();
  await Promise.all(Array.from({ length: SLEEPERS }, () => run(sleeper)));
  const sleepers = performance.now() - begun;

  const gib = (totalmem() / 2 ** 30).toFixed(0);
  console.log(
    `\n${availableParallelism()} cores, ${gib} GiB, Node ${process.version}; medians of ${RUNS} runs\n`,
  );
  console.log('five trivial cells, POST to result, client polls every 5 ms, executor warm');
  row('this service', median(ours), ours);
  row('nbclient, in process', median(peer), peer);
  console.log(`  ratio: ${(median(peer) / median(ours)).toFixed(1)} × as fast as nbclient\n`);
  console.log(
    `${SLEEPERS} notebooks that sleep 2 s, submitted at once to one executor, ${SLEEPERS} kernels allowed`,
  );
  console.log(
    `  this service ${(sleepers / 1_000).toFixed(2).padStart(20)} s   (one after the other: ${2 * SLEEPERS} s and more)`,
  );
}

/** Milliseconds from POST to the result, as a polling client sees it. */
async function endToEnd(url: string, token: string, ipynb: object): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ ipynb });
  const begun = performance.now();
  const posted = await fetch(`${url}/v1/notebooks/`, { method: 'POST', headers, body, signal: stop.signal });
  if (posted.status !== 202) throw new Error(`POST answered ${posted.status}: ${await posted.text()}`);
  const { self_url: jobUrl } = (await posted.json()) as NotebookResponse;
  for (;;) {
    const job = (await (await fetch(jobUrl, { headers, signal: stop.signal })).json()) as NotebookResponse;
    if (job.status === 'complete') {
      if (!job.success || job.ipynb_error)
        throw new Error(`the notebook failed: ${JSON.stringify(job.error)}`);
      return performance.now() - begun;
    }
    if (performance.now() - begun > TIMEOUT_MS) throw new Error(`no result within ${TIMEOUT_MS} ms`);
    await sleep(POLL_MS);
  }
}

/** Milliseconds of nbclient's runs, by the Python that the lab uses too. */
async function nbclient(venvDir: string, ipynb: object): Promise<number[]> {
  const path = join(stateDir, 'peer.ipynb');
  writeFileSync(path, JSON.stringify(ipynb));
  const args = [join(ROOT, 'bench/peers.py'), path, String(RUNS)];
  const { stdout } = await promisify(execFile)(pythonOf(venvDir), args, { signal: stop.signal });
  return (JSON.parse(stdout) as number[]).map((seconds) => seconds * 1_000);
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

function row(name: string, middle: number, all: number[]): void {
  const range = `${Math.min(...all).toFixed(0)} to ${Math.max(...all).toFixed(0)}`;
  console.log(`  ${name.padEnd(22)} ${middle.toFixed(0).padStart(8)} ms   (${range})`);
}
