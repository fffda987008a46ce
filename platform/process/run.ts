import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
  timeoutMs?: number;
  /** Called with each line of output, for a progress display. */
  onLine?: (line: string) => void;
}

const KILL_AFTER_MS = 5_000;
const running = new Set<number>();

/** Kills every command that `run` has not yet seen the end of, for an exit that cannot wait. */
export function killRunning(): void {
  for (const pid of running) killGroup(pid, 'SIGKILL');
}

/** A command that was run to its end and failed; the message holds the end of what it said. */
export class CommandError extends Error {
  readonly output: string;

  constructor(message: string, output: string) {
    super(output ? `${message}\n${output.split('\n').slice(-30).join('\n')}` : message);
    this.name = 'CommandError';
    this.output = output;
  }
}

/** Signals a whole process group; false when there is none any more. */
export function killGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a command to its end, in a process group of its own, which ends with an abort or the time limit.
 *
 * @returns what it wrote to stdout
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { signal, timeoutMs = 600_000, onLine } = options;
  signal?.throwIfAborted();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.pid !== undefined) running.add(child.pid);
  let stdout = '';
  let output = '';
  const take = (chunk: string): void => {
    output += chunk;
    if (onLine) for (const line of chunk.split('\n')) if (line.trim()) onLine(line.trim());
  };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
    take(chunk);
  });
  child.stderr.setEncoding('utf8').on('data', take);

  const limit = AbortSignal.timeout(timeoutMs);
  const stop = signal ? AbortSignal.any([signal, limit]) : limit;
  const onAbort = (): void => {
    const { pid } = child;
    if (pid === undefined) return;
    killGroup(pid, 'SIGTERM');
    void sleep(KILL_AFTER_MS, undefined, { ref: false }).then(() => killGroup(pid, 'SIGKILL'));
  };
  stop.addEventListener('abort', onAbort, { once: true });

  return new Promise<string>((resolve, reject) => {
    child.on('error', (error) => reject(new CommandError(`${command} cannot be run: ${error.message}`, '')));
    child.on('close', (code, by) => {
      stop.removeEventListener('abort', onAbort);
      // What it started may have outlived it.
      if (child.pid !== undefined) {
        if (stop.aborted) killGroup(child.pid, 'SIGKILL');
        running.delete(child.pid);
      }
      if (signal?.aborted) reject(signal.reason as Error);
      else if (code === 0) resolve(stdout);
      else {
        const end = limit.aborted
          ? `took longer than ${timeoutMs / 1000} s`
          : `failed (${by ?? `exit code ${code}`})`;
        reject(new CommandError(`${[command, ...args].join(' ').slice(0, 200)} ${end}`, output.trim()));
      }
    });
  });
}
