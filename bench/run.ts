/** `npm run bench`: the service beside its peers in one run; prints tables and writes docs/performance.md. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPlatform } from '../platform/platform.ts';
import { StepList } from '../platform/setup/steps.ts';
import { BURST, FIVE, HUNDRED, PLOT, SLEEPER, SLEEPERS, TEN_MB, type Case } from './cases.ts';
import { Engine } from './engine.ts';
import { Handler } from './handler.ts';
import { liveCost } from './live-cost.ts';
import { Peers } from './peers.ts';
import { redisCalls } from './redis-calls.ts';
import { Report } from './report.ts';
import { Service } from './service.ts';
import { sample, timed, type Sample } from './statistics.ts';

const RUNS = 9;
const CLI_RUNS = 7;
// Between runs, so that each finds the kernels warm that the last one used up.
const PAUSE_MS = 1_500;
const POLL_MS = 5;

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort(new Error(signal)));

const dir = mkdtempSync(join(tmpdir(), 'noteburst-bench-'));
try {
  await using platform = await startPlatform(
    {
      stateDir: dir,
      executors: 1,
      executorEnv: {
        NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: String(SLEEPERS),
        NOTEBURST_WORKER_WARM_KERNEL: 'python3',
      },
      logLevel: 'WARNING',
      steps: new StepList(),
    },
    stop.signal,
  );
  await platform.executors[0]?.ready();
  const token = await platform.createToken({ username: 'bench' });
  const service = new Service(platform.noteburstUrl, token, stop.signal);
  const peers = new Peers(platform.venvDir, dir, stop.signal);
  const report = new Report();
  const repeated = async (work: () => Promise<unknown>, runs = RUNS): Promise<Sample> => {
    const times: number[] = [];
    for (let n = 0; n <= runs; n++) {
      await sleep(PAUSE_MS, undefined, { signal: stop.signal });
      times.push(await timed(work));
    }
    return sample(times.slice(1));
  };

  {
    await using engine = await Engine.start(platform, stop.signal);
    await using handler = await Handler.start(join(dir, 'ext'), stop.signal);
    const medians = new Map<string, Map<Case, number>>();
    for (const item of [FIVE, HUNDRED, PLOT]) {
      const rows = [
        {
          who: 'this service, POST to result, client waits (`Prefer: wait`)',
          times: await repeated(() => service.waited(item)),
        },
        {
          who: `this service, client polls every ${POLL_MS} ms`,
          times: await repeated(() => service.polled(item, POLL_MS)),
        },
        { who: 'its engine alone, warm kernel', times: sample(await engine.runs(item, RUNS)) },
        {
          who: 'the floor: a warm kernel alone, over its own ZeroMQ sockets',
          times: sample(await peers.kernelAlone(item, RUNS)),
        },
        { who: 'nbclient, in process', times: sample(await peers.nbclient(item, RUNS)) },
        {
          who: "the lab's own handler alone, `POST rubin/execution`",
          times: sample(await handler.runs(item, CLI_RUNS)),
        },
        { who: 'papermill, command', times: sample(await peers.papermill(item, CLI_RUNS)) },
        { who: 'nbconvert --execute, command', times: sample(await peers.nbconvert(item, CLI_RUNS)) },
      ];
      report.table(capital(item.title), rows);
      for (const { who, times } of rows) {
        medians.set(who, (medians.get(who) ?? new Map<Case, number>()).set(item, times.median));
      }
    }
    const cells = HUNDRED.cells.length - FIVE.cells.length;
    report.text('What one more trivial cell costs', [
      ...medians.entries().map(([who, of]) => {
        const perCell = ((of.get(HUNDRED) ?? 0) - (of.get(FIVE) ?? 0)) / cells;
        return `- ${who}: ${perCell.toFixed(1)} ms`;
      }),
      '',
      "The difference of the two medians, by cell. The floor's is the kernel's own time, which no client can save.",
    ]);
    report.table(capital(TEN_MB.title), [
      {
        who: 'this service, POST to result, client waits',
        times: await repeated(() => service.waited(TEN_MB)),
      },
      { who: 'its engine alone, warm kernel', times: sample(await engine.runs(TEN_MB, RUNS)) },
      { who: 'nbclient, in process', times: sample(await peers.nbclient(TEN_MB, RUNS)) },
    ]);
    const sleepers = () => Promise.all(Array.from({ length: SLEEPERS }, () => service.waited(SLEEPER)));
    report.table(`${SLEEPERS} notebooks that sleep 2 s, submitted at once, ${SLEEPERS} kernels allowed`, [
      { who: 'this service', times: await repeated(sleepers, CLI_RUNS) },
      {
        who: 'nbclient, one after the other',
        times: sample([await nbclientTotal(peers, SLEEPER, SLEEPERS)]),
      },
    ]);
  }
  await burst();
  const cost = await liveCost(platform, stop.signal);
  report.table('What live events cost: five trivial cells, in turn', [
    { who: "the executor's path with its events written", times: cost.live },
    { who: 'the same without them', times: cost.silent },
  ]);
  const calls = await redisCalls(platform.redisUrl, () => service.waited(FIVE));
  report.text('Redis commands of one five-cell job', [
    [...calls].map(([name, count]) => `${name} ${count}`).join(', '),
    '',
    'Beyond those of an idle service in the same time; commands that scripts call inside Redis are counted too.',
  ]);
  report.write();

  async function burst(): Promise<void> {
    await sleep(2 * PAUSE_MS);
    const ours = await timed(() => Promise.all(Array.from({ length: BURST }, () => service.waited(FIVE))));
    await using engine = await Engine.start(platform, stop.signal);
    const floor = await engine.kernelStarts(BURST, SLEEPERS);
    const nbclient = await nbclientTotal(peers, FIVE, BURST);
    report.table(`A burst of ${BURST} five-cell notebooks on one executor, once`, [
      { who: 'this service, first POST to last result', times: sample([ours]) },
      { who: `the floor: starting ${BURST} kernels, ${SLEEPERS} at once`, times: sample([floor]) },
      { who: 'nbclient, one after the other', times: sample([nbclient]) },
    ]);
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}

async function nbclientTotal(peers: Peers, item: Case, count: number): Promise<number> {
  return (await peers.nbclient(item, count)).reduce((sum, time) => sum + time, 0);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
