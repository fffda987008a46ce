import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { killGroup } from './run.ts';
import type { ProcessRecord } from './process-record.ts';

export interface ProcessOptions {
  /** Names the log file and the process in messages. */
  name: string;
  command: string;
  args: readonly string[];
  /** The whole environment: nothing is inherited beside it. */
  env: NodeJS.ProcessEnv;
  logDir: string;
  cwd?: string;
  record?: ProcessRecord;
  /** How long it may take to end after SIGTERM; then the whole group is killed. */
  graceMs?: number;
}

/** One of the platform's long-running processes: a process group of its own, output in a log file. */
export class ManagedProcess implements AsyncDisposable {
  readonly name: string;
  readonly logFile: string;
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #graceMs: number;
  readonly #record: ProcessRecord | undefined;
  #stopping: Promise<void> | undefined;
  #end: string | undefined;

  constructor(options: ProcessOptions) {
    this.name = options.name;
    this.#graceMs = options.graceMs ?? 5_000;
    this.#record = options.record;
    mkdirSync(options.logDir, { recursive: true });
    this.logFile = join(options.logDir, `${options.name}.log`);
    const log = openSync(this.logFile, 'w');
    this.#child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(void (this.#end ??= error.message)));
      this.#child.once('exit', (code, signal) => resolve(void (this.#end ??= signal ?? `exit code ${code}`)));
    });
    if (this.#child.pid !== undefined) options.record?.add(options.name, this.#child.pid);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** How it ended, for example "exit code 1" or "SIGKILL"; undefined while it runs. */
  get end(): string | undefined {
    return this.#end;
  }

  /** Sends a signal to the process alone, for tests that kill or freeze it. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The last lines of its log. */
  logTail(lines = 20): string {
    try {
      return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
    } catch {
      return '';
    }
  }

  /** Waits until the probe says true; throws with the end of the log when the process dies or takes too long. */
  async waitUntil(
    probe: () => boolean | Promise<boolean>,
    {
      timeoutMs,
      signal,
      everyMs = 50,
    }: { timeoutMs: number; signal?: AbortSignal | undefined; everyMs?: number },
  ): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      signal?.throwIfAborted();
      if (this.#end !== undefined) throw this.#failure(`ended while it was starting (${this.#end})`);
      if (await probe()) return;
      if (performance.now() > deadline) throw this.#failure(`was not ready within ${timeoutMs / 1000} s`);
      await sleep(everyMs, undefined, signal ? { signal } : {});
    }
  }

  /** Waits until the URL answers with a status below 400. */
  waitForUrl(url: string, options: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<void> {
    return this.waitUntil(() => answers(url), options);
  }

  /** SIGTERM, the grace, SIGKILL on the whole group: in any case it is gone afterwards. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined) return;
    if (this.#end === undefined) {
      this.#child.kill('SIGTERM');
      // Whatever stopped it (a test) must not keep it from ending.
      this.#child.kill('SIGCONT');
      await Promise.race([this.exited, sleep(this.#graceMs, undefined, { ref: false })]);
    }
    killGroup(pid, 'SIGKILL');
    await Promise.race([this.exited, sleep(2_000, undefined, { ref: false })]);
    this.#record?.remove(pid);
  }

  #failure(what: string): Error {
    const tail = this.logTail();
    return new Error(
      `${this.name} ${what}; log: ${this.logFile}${tail && `\n${tail.replaceAll(/^/gm, '  | ')}`}`,
    );
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000), redirect: 'manual' });
    await response.body?.cancel();
    return response.status < 400;
  } catch {
    return false;
  }
}
