import { until } from './cluster.ts';
import type { ClusterApi, LogLine, Pod } from './kubernetes.ts';

/** Waits for the first pod. @returns its name, when it was there, and when it had a node, ms since the epoch */
export async function seen(
  pods: () => Promise<Pod[]>,
): Promise<{ name: string; atMs: number; scheduledMs: number }> {
  let found: Pod | undefined;
  await until('a pod is there', 120_000, async () => (found = (await pods())[0]), 25);
  const atMs = Date.now();
  await until(
    'it has a node',
    60_000,
    async () => found?.spec.nodeName ?? (found = (await pods())[0])?.spec.nodeName,
    25,
  );
  return { name: (found as Pod).metadata.name, atMs, scheduledMs: Date.now() };
}

/** When an executor got where, by its own log: ms since the epoch. */
export async function executorTimes(
  api: ClusterApi,
  name: string,
): Promise<Record<'started' | 'listening' | 'spawning' | 'served' | 'taking', number>> {
  const lines = await api.log(name, 'executor');
  const first = (what: string, is: (line: LogLine) => boolean): LogLine => {
    const line = lines.find(is);
    if (line) return line;
    throw new Error(`the executor's log has no "${what}":\n${lines.map(({ msg }) => msg).join('\n')}`);
  };
  const at = (...of: Parameters<typeof first>): number => new Date(first(...of).time).getTime();
  const listening = first('listening', ({ msg }) => msg === 'listening');
  return {
    started: new Date(listening.time).getTime() - Number(listening['ms']),
    listening: new Date(listening.time).getTime(),
    spawning: at('spawning', ({ msg }) => msg === 'spawning a lab'),
    served: at('lab', ({ msg }) => msg === 'lab is ready'),
    taking: at('ready', ({ msg, to }) => msg === 'executor state' && to === 'ready'),
  };
}

/** Prints what took how long. */
export function report(title: string, times: Record<string, number>): void {
  const rows = Object.entries(times).map(
    ([what, ms]) => `  ${(ms / 1_000).toFixed(2).padStart(7)} s  ${what}`,
  );
  console.log([`${title}:`, ...rows].join('\n'));
}
