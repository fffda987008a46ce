import { setTimeout as sleep } from 'node:timers/promises';
import { BURST, FIVE, HUNDRED, PLOT, SLEEPER, SLEEPERS, TEN_MB, type Case } from './cases.ts';
import type { Engine } from './engine.ts';
import type { Measured } from './goals.ts';
import type { Handler } from './handler.ts';
import type { Peers } from './peers.ts';
import type { Report, Row } from './report.ts';
import type { Service } from './service.ts';
import { sample, timed, type Sample } from './statistics.ts';

const RUNS = 9;
const TURNS = 3;
const CLI_RUNS = 7;
// Between runs, so that each finds the kernels warm that the last one used up.
const PAUSE_MS = 1_500;
const POLL_MS = 5;
// Which is quickest depends on the machine's cores.
const FLOOR_WIDTHS = [2, 4, 8];

export interface Bench {
  service: Service;
  peers: Peers;
  report: Report;
  signal: AbortSignal;
}

/** The service and all its peers, on notebooks of a few cells. */
export async function smallNotebooks(bench: Bench, engine: Engine, handler: Handler) {
  const { service, peers, report } = bench;
  const tables = new Map<Case, Row[]>();
  for (const item of [FIVE, HUNDRED, PLOT]) {
    const { ours, nbclient } = await inTurn(bench, item);
    const polled = await repeated(bench, () => service.polled(item, POLL_MS), RUNS);
    const rows = [
      { who: 'this service, POST to result, client waits', times: ours },
      { who: `this service, client polls every ${POLL_MS} ms`, times: sample(polled) },
      { who: 'its engine alone, warm kernel', times: sample(await engine.runs(item, RUNS)) },
      {
        who: 'the floor: a warm kernel alone, over its own ZeroMQ sockets',
        times: sample(await peers.kernelAlone(item, RUNS)),
      },
      { who: 'nbclient, in process', times: nbclient },
      ...(await others(bench, handler, item)),
    ];
    report.table(item.title, rows);
    tables.set(item, rows);
  }
  const median = (item: Case, row: number) => tables.get(item)?.[row]?.times.median ?? Number.NaN;
  const more = HUNDRED.cells.length - FIVE.cells.length;
  report.text('What one more trivial cell costs', [
    ...(tables.get(FIVE) ?? []).map(
      ({ who }, row) => `- ${who}: ${((median(HUNDRED, row) - median(FIVE, row)) / more).toFixed(1)} ms`,
    ),
    '',
    "The difference of the two medians, by cell; the floor's is that of a client with nothing between it and the kernel.",
  ]);
  const medians = (item: Case) => ({
    ours: median(item, 0),
    engine: median(item, 2),
    floor: median(item, 3),
    nbclient: median(item, 4),
  });
  return {
    five: medians(FIVE),
    hundred: { ...medians(HUNDRED), cells: HUNDRED.cells.length },
  } satisfies Partial<Measured>;
}

/** One message of 10 MB. */
export async function largeOutput(
  bench: Bench,
  engine: Engine,
  handler: Handler,
): Promise<Measured['tenMb']> {
  const { ours, nbclient } = await inTurn(bench, TEN_MB);
  bench.report.table(TEN_MB.title, [
    { who: 'this service, POST to result, client waits', times: ours },
    { who: 'its engine alone, warm kernel', times: sample(await engine.runs(TEN_MB, RUNS)) },
    { who: 'nbclient, in process', times: nbclient },
    ...(await others(bench, handler, TEN_MB)),
  ]);
  return { ours: ours.median, nbclient: nbclient.median };
}

/** Notebooks that wait: side by side in one lab, or one after the other. */
export async function sleepers(
  bench: Bench,
  engine: Engine,
  handler: Handler,
): Promise<Measured['sleepers']> {
  const { service, peers, report } = bench;
  const all = () => Promise.all(Array.from({ length: SLEEPERS }, () => service.waited(SLEEPER)));
  const ours = sample(await repeated(bench, all, CLI_RUNS));
  // Of so many runs in a row, each eight that follow one another.
  const runs = SLEEPERS + CLI_RUNS - 1;
  const inARow = (times: number[]) =>
    sample(times.slice(SLEEPERS - 1).map((_, n) => sum(times.slice(n, n + SLEEPERS))));
  report.table(`${SLEEPERS} notebooks that sleep 2 s, submitted at once, ${SLEEPERS} kernels allowed`, [
    { who: 'this service', times: ours },
    {
      who: 'its engine alone, warm kernels',
      times: sample(await engine.runs(SLEEPER, CLI_RUNS, SLEEPERS)),
    },
    { who: 'nbclient, one after the other', times: inARow(await peers.nbclient(SLEEPER, runs)) },
    {
      who: "the lab's own handler, one after the other",
      times: inARow(await handler.runs(SLEEPER, runs)),
    },
    { who: 'papermill, one after the other', times: inARow(await peers.papermill(SLEEPER, runs)) },
    {
      who: 'nbconvert --execute, one after the other',
      times: inARow(await peers.nbconvert(SLEEPER, runs)),
    },
  ]);
  return { ours: ours.median };
}

/** Far more notebooks than kernels: what starting kernels costs decides. */
export async function burst(
  { service, peers, report }: Bench,
  startEngine: () => Promise<Engine>,
): Promise<Measured['burst']> {
  await sleep(2 * PAUSE_MS);
  const ours = await timed(() => Promise.all(Array.from({ length: BURST }, () => service.waited(FIVE))));
  await using engine = await startEngine();
  const floors: number[] = [];
  for (const atOnce of FLOOR_WIDTHS) floors.push(await engine.kernelStarts(BURST, atOnce));
  const floor = Math.min(...floors);
  const nbclient = sum(await peers.nbclient(FIVE, BURST));
  report.table(`A burst of ${BURST} five-cell notebooks on one executor, once`, [
    { who: 'this service, first POST to last result', times: sample([ours]) },
    {
      who: `the floor: starting ${BURST} kernels, the quickest of ${FLOOR_WIDTHS.join(', ')} at once`,
      times: sample([floor]),
    },
    { who: 'nbclient, one after the other', times: sample([nbclient]) },
  ]);
  return { ours, floor, nbclient };
}

/** The service and nbclient, a few runs of each in turn, so that both meet the machine in the same state. */
async function inTurn(bench: Bench, item: Case): Promise<{ ours: Sample; nbclient: Sample }> {
  const ours: number[] = [];
  const nbclient: number[] = [];
  for (let n = 0; n < TURNS; n++) {
    ours.push(...(await repeated(bench, () => bench.service.waited(item), RUNS / TURNS)));
    nbclient.push(...(await bench.peers.nbclient(item, RUNS / TURNS)));
  }
  return { ours: sample(ours), nbclient: sample(nbclient) };
}

async function others({ peers }: Bench, handler: Handler, item: Case): Promise<Row[]> {
  return [
    {
      who: "the lab's own handler alone, `POST rubin/execution`",
      times: sample(await handler.runs(item, CLI_RUNS)),
    },
    { who: 'papermill, command', times: sample(await peers.papermill(item, CLI_RUNS)) },
    { who: 'nbconvert --execute, command', times: sample(await peers.nbconvert(item, CLI_RUNS)) },
  ];
}

async function repeated({ signal }: Bench, work: () => Promise<unknown>, runs: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n <= runs; n++) {
    await sleep(PAUSE_MS, undefined, { signal });
    times.push(await timed(work));
  }
  return times.slice(1);
}

const sum = (times: number[]): number => times.reduce((total, time) => total + time, 0);
