import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { armCrashpoints, crashpoint } from '../../lib/crashpoint.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'noteburst-crashpoint-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** A process that passes s7 three times and s4 once, and says so. */
function start(crashpoints: string) {
  const script = `
    import { armCrashpoints, crashpoint } from './lib/crashpoint.ts';
    armCrashpoints(process.env.NOTEBURST_CRASHPOINTS);
    for (const name of ['s7', 's7', 's4', 's7']) {
      await crashpoint(name);
      console.log(name);
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: join(import.meta.dirname, '../..'),
    env: { NOTEBURST_CRASHPOINTS: crashpoints },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 10_000,
    killSignal: 'SIGKILL',
  });
  const ended = Promise.all([text(child.stdout), once(child, 'close')]).then(([printed]) => ({
    passed: printed.trim().split('\n').filter(Boolean),
    code: child.exitCode,
    signal: child.signalCode,
  }));
  return { child, ended };
}

const ALL = { passed: ['s7', 's7', 's4', 's7'], code: 0, signal: null };

describe('a crash point', () => {
  test('does nothing, and gives nothing to wait for, when none is set', async () => {
    armCrashpoints(undefined);
    armCrashpoints('');
    expect(crashpoint('s7')).toBeUndefined();
    expect(await start('').ended).toEqual(ALL);
  });

  test.each([
    ['s7=kill', []],
    ['s7=kill@2', ['s7']],
    ['s7=kill@3', ['s7', 's7', 's4']],
    ['s4=kill', ['s7', 's7']],
  ])('ends the process there: %s', async (crashpoints, passed) => {
    expect(await start(crashpoints).ended).toEqual({ passed, code: null, signal: 'SIGKILL' });
  });

  test('is passed when it is not reached so often', async () => {
    expect(await start('s7=kill@4').ended).toEqual(ALL);
  });

  test('stops the process there, until it is told to go on', async () => {
    const { child, ended } = start('s7=stop@2');
    // The state of the process follows its name in brackets; T is stopped.
    const state = () => readFileSync(`/proc/${child.pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0];
    await vi.waitUntil(() => state() === 'T', { timeout: 5_000, interval: 5 });
    child.kill('SIGCONT');
    expect(await ended).toEqual(ALL);
  });

  test('holds up whoever waits there, says so, and lets go', async () => {
    const path = join(dir, 'go');
    const { child, ended } = start(`s4=pause:${path},s7=kill@4`);
    await vi.waitUntil(() => existsSync(`${path}.reached`), { timeout: 5_000, interval: 5 });
    expect(child.exitCode).toBeNull();
    writeFileSync(path, '');
    expect(await ended).toEqual(ALL);
  });

  test.each(['s7', 's7=', 's11=kill', 's7=die', 's7=pause', 'kill'])(
    'is refused when nobody knows it: %s',
    (bad) => {
      expect(() => armCrashpoints(bad)).toThrow(`"${bad}" is no crash point`);
    },
  );
});
