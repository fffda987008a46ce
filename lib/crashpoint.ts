import { existsSync, writeFileSync } from 'node:fs';

/**
 * The steps at which a test can break a process: s1 acquire, s2 fence, s3 spawn, s4 fetch, s5 kernel, s6 mid-cell,
 * s7 body written, s8 committed, with nobody told yet, s9 stop, s10 release.
 */
const NAMES = ['s1', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 's9', 's10'] as const;
export type CrashpointName = (typeof NAMES)[number];

type Hook = () => void | Promise<void>;

const hooks = new Map<CrashpointName, Hook>();
const POLL_MS = 5;

/**
 * Marks a step. It does nothing, at the cost of a look into an empty map, unless {@link armCrashpoints} has said
 * otherwise; then the process dies or stops here, or whoever awaits this is held up.
 */
export function crashpoint(name: CrashpointName): void | Promise<void> {
  return hooks.get(name)?.();
}

/**
 * Says what happens at which step, for example `s7=kill` or `s4=stop@2,s6=pause:/tmp/go`:
 * `kill` by SIGKILL; `stop` by SIGSTOP, until somebody sends SIGCONT; `pause:<path>` writes the file `<path>.reached` and
 * goes on when `<path>` is there; `@n` the n-th time it is reached, not the first.
 *
 * @param text as in NOTEBURST_CRASHPOINTS; empty or absent for none
 * @throws when it cannot be understood, so that no test passes because nothing happened
 */
export function armCrashpoints(text: string | undefined): void {
  for (const entry of text?.split(',').filter(Boolean) ?? []) {
    const [, name, action = '', time] = /^(\w+)=(.+?)(?:@(\d+))?$/.exec(entry.trim()) ?? [];
    const known = NAMES.find((known) => known === name);
    const act = actionOf(action);
    if (!known || !act) throw new Error(`NOTEBURST_CRASHPOINTS: "${entry}" is no crash point`);
    let left = Number(time ?? 1);
    hooks.set(known, () => (--left === 0 ? act() : undefined));
  }
}

function actionOf(action: string): Hook | undefined {
  if (action === 'kill') return () => void process.kill(process.pid, 'SIGKILL');
  if (action === 'stop') return () => void process.kill(process.pid, 'SIGSTOP');
  if (action.startsWith('pause:/')) return () => pause(action.slice('pause:'.length));
  return undefined;
}

async function pause(path: string): Promise<void> {
  writeFileSync(`${path}.reached`, '');
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
