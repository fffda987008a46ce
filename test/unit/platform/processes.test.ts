import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockHolder, tryLock, waitForLock } from '../../../platform/process/file-lock.mjs';
import { isAlive, startTimeOf } from '../../../platform/process/identity.mjs';
import { processesOfRun, RUN_VARIABLE } from '../../../platform/process/leftovers.ts';
import { ManagedProcess } from '../../../platform/process/managed-process.ts';
import { endLeftovers, ProcessRecord } from '../../../platform/process/process-record.ts';
import { CommandError, run } from '../../../platform/process/run.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'noteburst-processes-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const script = (code: string, env: NodeJS.ProcessEnv = {}, graceMs?: number) =>
  new ManagedProcess({
    name: 'script',
    command: process.execPath,
    args: ['-e', code],
    env,
    logDir: dir,
    ...(graceMs !== undefined && { graceMs }),
  });

describe('a managed process', () => {
  it('is stopped by SIGTERM, which it may answer', async () => {
    const managed = script(
      "process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1e6); console.log('up')",
    );
    await managed.waitUntil(() => managed.logTail() === 'up', { timeoutMs: 5_000 });
    await managed.stop();
    expect(managed.end).toBe('exit code 7');
  });

  it('is killed with its children when it takes no notice', async () => {
    const child = `require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], {stdio: 'ignore'}).pid`;
    const managed = script(
      `process.on('SIGTERM', () => {}); console.log(${child}); setInterval(() => {}, 1e6)`,
      {},
      100,
    );
    await managed.waitUntil(() => managed.logTail() !== '', { timeoutMs: 5_000 });
    const pid = Number(managed.logTail());
    await managed.stop();
    expect(managed.end).toBe('SIGKILL');
    await expect.poll(() => isAlive(pid, startTimeOf(pid) ?? 'gone')).toBe(false);
  });

  it('says the end of its log when it dies early or is not ready in time', async () => {
    const dying = script("console.error('no such file'); process.exit(3)");
    await expect(dying.waitUntil(() => false, { timeoutMs: 5_000 })).rejects.toThrow(
      /exit code 3[^]*no such file/,
    );
    const slow = script('setInterval(() => {}, 1e6)');
    await expect(slow.waitUntil(() => false, { timeoutMs: 100 })).rejects.toThrow(
      'was not ready within 0.1 s',
    );
    await slow.stop();
  });

  it('says when the command does not exist', async () => {
    const none = new ManagedProcess({ name: 'none', command: '/no/such', args: [], env: {}, logDir: dir });
    await expect(none.waitUntil(() => false, { timeoutMs: 5_000 })).rejects.toThrow('ENOENT');
    await none.stop();
  });
});

describe('a command', () => {
  it('fails with what it said', async () => {
    const error = await run('sh', ['-c', 'echo out; echo oops >&2; exit 4']).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(CommandError);
    expect(String(error)).toMatch(/exit code 4[^]*oops/);
  });

  it('is ended by an abort, with what it has started', async () => {
    const abort = new AbortController();
    const pids: number[] = [];
    const running = run('sh', ['-c', 'sleep 1000 & echo $!; wait'], {
      signal: abort.signal,
      onLine: (line) => {
        pids.push(Number(line));
        abort.abort(new Error('enough'));
      },
    });
    await expect(running).rejects.toThrow('enough');
    const [pid = 0] = pids;
    await expect.poll(() => startTimeOf(pid)).toBeUndefined();
  });
});

const sleeper = async (env: NodeJS.ProcessEnv) => {
  const code = "console.log('up'); setInterval(() => {}, 1e6)";
  const child = spawn(process.execPath, ['-e', code], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  const exited = once(child, 'exit');
  return { pid: child.pid ?? 0, exited, kill: () => child.kill('SIGKILL') };
};

describe('what a killed platform leaves', () => {
  it('is ended by the next one: the recorded processes and those of the same run', async () => {
    const record = new ProcessRecord(join(dir, 'processes.json'), `test-${process.pid}-${Date.now()}`);
    const recorded = await sleeper({});
    const lab = await sleeper({ [RUN_VARIABLE]: record.runId });
    const stranger = await sleeper({ [RUN_VARIABLE]: 'another' });
    record.add('recorded', recorded.pid);
    expect(processesOfRun(record.runId).map(({ pid }) => pid)).toEqual([lab.pid]);
    expect(await endLeftovers(join(dir, 'processes.json'))).toBe(2);
    await Promise.all([recorded.exited, lab.exited]);
    expect(isAlive(stranger.pid, startTimeOf(stranger.pid))).toBe(true);
    stranger.kill();
    await stranger.exited;
    expect(existsSync(join(dir, 'processes.json'))).toBe(false);
  });

  it('is never a process that got the same number later', async () => {
    const innocent = await sleeper({});
    const processes = [{ name: 'redis', pid: innocent.pid, start: 'an earlier time' }];
    writeFileSync(join(dir, 'processes.json'), JSON.stringify({ run: 'gone', processes }));
    expect(await endLeftovers(join(dir, 'processes.json'))).toBe(0);
    expect(isAlive(innocent.pid, startTimeOf(innocent.pid))).toBe(true);
    innocent.kill();
    await innocent.exited;
  });

  it('does not matter when the record is broken', async () => {
    writeFileSync(join(dir, 'processes.json'), '{"run":');
    expect(await endLeftovers(join(dir, 'processes.json'))).toBe(0);
  });
});

describe('the death of npm', () => {
  const IDENTITY = new URL('../../../platform/process/identity.mjs', import.meta.url).href;
  const code = `import { onParentDeath } from '${IDENTITY}';
    onParentDeath(() => { console.log('orphaned'); process.exit(); }, 20);
    setInterval(() => {}, 1e6); console.log('up ' + process.pid);`;

  it.each([
    [
      'with a shell in between',
      'child_process.spawn("sh", ["-c", "$NODE --input-type=module -e \\"$CODE\\"; true"], o)',
    ],
    [
      'which is the parent',
      'child_process.spawn(process.env.NODE, ["--input-type=module", "-e", process.env.CODE], o)',
    ],
  ])('is noticed, %s', async (_how, start) => {
    const options =
      '{ stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, npm_lifecycle_event: "start" } }';
    const npm = spawn(
      process.execPath,
      ['-e', `const child_process = require('child_process'); const o = ${options}; ${start}`],
      {
        env: { ...process.env, NODE: process.execPath, CODE: code },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let output = '';
    npm.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    await expect.poll(() => output, { timeout: 5_000 }).toMatch(/^up \d+\n$/);
    npm.kill('SIGKILL');
    await expect.poll(() => output, { timeout: 5_000 }).toMatch(/orphaned/);
  });
});

describe('a lock', () => {
  it('is held by one, waited for by the next, and taken over from the dead', async () => {
    const path = join(dir, 'lock');
    const release = tryLock(path);
    expect(tryLock(path)).toBeUndefined();
    expect(lockHolder(path)).toMatchObject({ pid: process.pid });
    const waiting = waitForLock(path);
    release?.();
    (await waiting)();
    writeFileSync(path, JSON.stringify({ pid: process.pid, start: 'an earlier time' }));
    const taken = tryLock(path);
    expect(taken).toBeDefined();
    taken?.();
    expect(existsSync(path)).toBe(false);
  });
});
