import { spawn, execFile, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../platform/process/free-port.ts';

const START_TIMEOUT_MS = 60_000;
const LOOK_EVERY_MS = 2;

/** What to start, and the request whose first 2xx tells that it serves. */
export interface Program {
  file: string;
  env: Record<string, string>;
  first: { path: string; headers?: Record<string, string> };
  /** The user to run it as, by number; only root may say. */
  uid?: number | undefined;
}

/** `anonymousMb` is NaN where the system does not tell it. */
export interface Memory {
  residentMb: number;
  anonymousMb: number;
}

/** A server in a process of its own. */
export class ServerProcess implements AsyncDisposable {
  readonly url: string;
  /** From the start of the process to its first 2xx. */
  readonly startedInMs: number;
  readonly #process: ChildProcess;

  private constructor(url: string, child: ChildProcess, startedInMs: number) {
    this.url = url;
    this.#process = child;
    this.startedInMs = startedInMs;
  }

  static async start({ file, env, first, uid }: Program): Promise<ServerProcess> {
    const port = await freePort();
    if (port === undefined) throw new Error('no port is free');
    const url = `http://127.0.0.1:${port}`;
    const begun = performance.now();
    const child = spawn(process.execPath, [file], {
      env: { HOST: '127.0.0.1', PORT: String(port), ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
      ...(uid !== undefined && { uid, gid: uid }),
    });
    for (;;) {
      if (await succeeds(`${url}${first.path}`, first.headers ?? {})) break;
      if (child.exitCode !== null) throw new Error(`${file} ended with ${child.exitCode}`);
      if (performance.now() - begun > START_TIMEOUT_MS) {
        child.kill('SIGKILL');
        throw new Error(`${file} has not answered for ${START_TIMEOUT_MS} ms`);
      }
      await sleep(LOOK_EVERY_MS);
    }
    return new ServerProcess(url, child, performance.now() - begun);
  }

  /** Its resident memory in MB of 2^20 bytes, and what of it is no file's: most of the rest is Node's own program. */
  async memory(): Promise<Memory> {
    const pid = String(this.#process.pid);
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', pid]);
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const anonymous = /^RssAnon:\s+(\d+) kB/m.exec(status)?.[1];
    return { residentMb: Number(stdout) / 1024, anonymousMb: Number(anonymous) / 1024 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await exited;
  }
}

/** On a connection of its own: one that was refused tells a client to wait. */
function succeeds(url: string, headers: Record<string, string>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  get(url, { headers, agent: false }, (response) => {
    const { statusCode = 0 } = response.resume();
    resolve(statusCode >= 200 && statusCode < 300);
  }).once('error', () => resolve(false));
  return promise;
}
