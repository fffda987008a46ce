/** `npm run bench`: the service beside its peers in one run; prints tables and writes docs/performance.md. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPlatform } from '../platform/platform.ts';
import { StepList } from '../platform/setup/steps.ts';
import { FIVE, HUNDRED, SLEEPERS } from './cases.ts';
import { cpuProfile } from './cpu-profile.ts';
import { Engine } from './engine.ts';
import { goalLines } from './goals.ts';
import { Handler } from './handler.ts';
import { interrupted } from './interrupted.ts';
import { liveCost } from './live-cost.ts';
import { Peers } from './peers.ts';
import { redisRoundTrips } from './redis-round-trips.ts';
import { Report } from './report.ts';
import { Service } from './service.ts';
import { burst, largeOutput, sleepers, smallNotebooks, type Bench } from './tables.ts';

const WARM_UP_NOTEBOOKS = 60;

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
    interrupted,
  );
  await platform.executors[0]?.ready();
  const token = await platform.createToken({ username: 'bench' });
  const report = new Report('performance.md', 'Performance', 'npm run bench');
  report.text('Before', [
    `The service has run ${WARM_UP_NOTEBOOKS} notebooks when the clock starts, its peers one each.`,
  ]);
  const bench: Bench = {
    service: new Service(platform.noteburstUrl, token, interrupted),
    peers: new Peers(platform.venvDir, dir, interrupted),
    report,
    signal: interrupted,
  };
  // A service that has just started is slower by a third: V8 has compiled nothing of it yet.
  for (let n = 0; n < WARM_UP_NOTEBOOKS; n++) await bench.service.waited(FIVE);
  const startEngine = () => Engine.start(platform, interrupted);

  const inLab = await (async () => {
    await using engine = await startEngine();
    await using handler = await Handler.start(join(dir, 'ext'), interrupted);
    return {
      ...(await smallNotebooks(bench, engine, handler)),
      tenMb: await largeOutput(bench, engine, handler),
      sleepers: await sleepers(bench, engine, handler),
    };
  })();
  const profile = await cpuProfile(() => bench.service.waited(HUNDRED), 9, 1_500);
  report.text('Where the time of 100 cells goes', [
    ...(profile ?? ['Not measured: this system does not tell the CPU of threads.']),
    '',
    'CPU by process. A cell goes from the client to the kernel and back through all of them in turn, so that the first',
    "threads' sum is about the time end to end; the kernel's and the lab's are not this project's.",
  ]);
  const inBurst = await burst(bench, startEngine);
  const { live, silent } = await liveCost(platform, interrupted);
  report.table('What live events cost: five trivial cells, in turn', [
    { who: "the executor's path with its events written", times: live },
    { who: 'the same without them', times: silent },
  ]);
  const trips = await redisRoundTrips(platform.redisUrl, () => bench.service.waited(FIVE));
  report.text('Redis round trips of one five-cell job', [
    `${trips.values().reduce((sum, count) => sum + count, 0)} in all, of all processes together: ` +
      [...trips].map(([name, count]) => `${name} ${count}`).join(', '),
    '',
    'Beyond those of an idle service in the same time; a transaction (`exec`) and a script (`evalsha`) are one each.',
  ]);
  const cost = { with: live.median, without: silent.median };
  report.text('Goals', goalLines({ ...inLab, burst: inBurst, live: cost }));
  report.write();
} finally {
  rmSync(dir, { recursive: true, force: true });
}
