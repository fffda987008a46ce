import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, inject } from 'vitest';
import { bundleCommand } from '../../../build/command.ts';

export const server = inject('noteburst');

/** Longer than any of these runs; a hang is told sooner by the test's own bound. */
const TIMEOUT_MS = 110_000;

export interface Said {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Start {
  cwd?: string;
  env?: Record<string, string>;
  /** Called as it prints, with all that it printed until then. */
  onOutput?: (stdout: string, interrupt: () => void) => void;
  input?: string;
  /** The Node to run it with, the tests' own when absent. */
  node?: string;
  /** Called as soon as it runs. */
  onStart?: (child: ChildProcessWithoutNullStreams) => void;
}

/** The command as its users run it: the bundle, as a process of its own. */
export class Command {
  /** A folder of the test's own. */
  dir = '';
  #dist = '';
  #path = '';

  constructor() {
    beforeAll(async () => {
      this.dir = mkdtempSync(join(tmpdir(), 'noteburst-cli-'));
      this.#dist = mkdtempSync(join(tmpdir(), 'noteburst-dist-'));
      this.#path = await bundleCommand(this.#dist);
    });
    afterAll(() => {
      for (const dir of [this.dir, this.#dist]) rmSync(dir, { recursive: true, force: true });
    });
  }

  /** The command's one file. */
  get path(): string {
    return this.#path;
  }

  /** Runs it to its end, for the user alice. */
  async run(
    args: readonly string[],
    { cwd = this.dir, env = {}, onOutput, onStart, input = '', node = process.execPath }: Start = {},
  ): Promise<Said> {
    const child = spawn(node, [this.path, ...args], {
      cwd,
      env: {
        PATH: process.env['PATH'],
        HOME: this.dir,
        NOTEBURST_BASE_URL: server.baseUrl,
        NOTEBURST_TOKEN: server.token,
        ...env,
      },
      stdio: 'pipe',
      timeout: TIMEOUT_MS,
    });
    onStart?.(child);
    child.stdin.end(input);
    let stdout = '';
    // Once: what is told to go twice goes at once.
    let isInterrupted = false;
    const interrupt = () => {
      if (!isInterrupted) child.kill('SIGINT');
      isInterrupted = true;
    };
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      onOutput?.(stdout, interrupt);
    });
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    await once(child, 'close');
    return { code: child.exitCode, stdout, stderr };
  }
}
