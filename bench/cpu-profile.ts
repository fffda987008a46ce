import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { sample } from './statistics.ts';

/** Whose CPU it is, by what stands in a process's command line; the first that fits counts. */
const PARTS: [who: string, command: RegExp | undefined][] = [
  ['the kernel (ipykernel)', /ipykernel_launcher/],
  ['the lab (jupyter_server)', /jupyterhub\.singleuser/],
  ["the hub's proxy", /configurable-http-proxy/],
  ['the executor', /workers\/executor\//],
  ['the functions', /functions\//],
  ['Redis', /valkey-server|redis-server/],
  ['the ingress and the client (this process)', undefined],
];

/** CPU of a part, in milliseconds: of its processes' first threads, and of all threads. */
interface Cpu {
  main: number;
  all: number;
}

/**
 * A table of the CPU that each part of the service takes for a piece of work, medians of several runs. A notebook's
 * cells go from one process to the next and back, so that the first threads' sum is about the time that it takes.
 *
 * @returns undefined where the system does not tell (`/proc/PID/task/TID/schedstat`, Linux)
 */
export async function cpuProfile(
  work: () => Promise<unknown>,
  runs: number,
  pauseMs: number,
): Promise<string[] | undefined> {
  if (!ownCpu()) return undefined;
  const taken = PARTS.map(() => ({ main: [] as number[], all: [] as number[] }));
  for (let run = 0; run <= runs; run++) {
    await sleep(pauseMs);
    const before = cpuByPart();
    await work();
    const after = cpuByPart();
    if (run === 0) continue;
    for (const [part, { main, all }] of taken.entries()) {
      main.push(after[part]!.main - before[part]!.main);
      all.push(after[part]!.all - before[part]!.all);
    }
  }
  const rows = PARTS.map(([who], part) => {
    const { main, all } = taken[part]!;
    return { who, main: sample(main).median, all: sample(all).median };
  });
  const sum = (of: 'main' | 'all') => rows.reduce((total, row) => total + row[of], 0);
  return [
    '| | first threads, ms | all threads, ms |',
    '| --- | ---: | ---: |',
    ...[...rows, { who: 'all', main: sum('main'), all: sum('all') }].map(
      ({ who, main, all }) => `| ${who} | ${main.toFixed(0)} | ${all.toFixed(0)} |`,
    ),
  ];
}

function cpuByPart(): Cpu[] {
  const parts = PARTS.map(() => ({ main: 0, all: 0 }));
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const isOwn = pid === String(process.pid);
      const part = PARTS.findIndex(([, fits]) => (isOwn ? !fits : fits?.test(command)));
      if (part < 0) continue;
      for (const thread of readdirSync(`/proc/${pid}/task`)) {
        const ms = threadCpu(pid, thread);
        parts[part]!.all += ms;
        if (thread === pid) parts[part]!.main += ms;
      }
    } catch {
      // It has ended meanwhile.
    }
  }
  return parts;
}

function ownCpu(): number | undefined {
  try {
    return threadCpu(String(process.pid), String(process.pid));
  } catch {
    return undefined;
  }
}

/** Its first number is the time on a CPU in nanoseconds (Linux, Documentation/scheduler/sched-stats.rst). */
const threadCpu = (pid: string, thread: string): number =>
  Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
