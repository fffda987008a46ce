import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseNotebook } from '../../lib/contract/nbformat.ts';
import { ROOT } from '../../platform/state.ts';

let dir: string;
let state: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'noteburst-start-'));
  state = join(dir, 'state');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

interface Start {
  child: ChildProcess;
  output: () => string;
  /** The exit code; a signal's number above 128. */
  ended: Promise<number>;
}

/** `npm start --`, as a user without a terminal does, with a state folder of its own. */
function npmStart(...args: string[]): Start {
  return npmStartIn(ROOT, ...args);
}

function npmStartIn(cwd: string, ...args: string[]): Start {
  const child = spawn('npm', ['start', '--', '--state', state, '--out', join(dir, 'out'), ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const { promise: ended, resolve } = Promise.withResolvers<number>();
  child.once('close', (code) => resolve(code ?? 143));
  return { child, output: () => output, ended };
}

/** Processes that mention the state folder in their command line or environment: the platform's, labs' and kernels'. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        const text =
          readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8');
        return text.includes(folder);
      } catch {
        return false; // ended meanwhile
      }
    });
}

test('--once runs the example, writes notebook and page, prints what to do next, and leaves nothing running', async () => {
  const begun = performance.now();
  const { output, ended } = npmStart('--once');
  await expect.poll(output, { timeout: 40_000, interval: 20 }).toContain('Noteburst is ready');
  // Everything is set up already; the budget of a second start.
  expect(performance.now() - begun).toBeLessThan(15_000);
  expect(await ended, output()).toBe(0);
  const executed = parseNotebook(readFileSync(join(dir, 'out/light-curve.ipynb'), 'utf8'));
  expect(JSON.stringify(executed)).toContain('image/png');
  expect(readFileSync(join(dir, 'out/light-curve.html'), 'utf8')).toContain('<img');
  expect(output()).toMatch(/cell 5 of 5/);
  expect(output()).toMatch(
    /^Job +http:\/\/127\.0\.0\.1:\d+\/noteburst\/v1\/notebooks\/nbexec-[0-9a-f]{32}$/m,
  );
  expect(output()).toMatch(/^Token +gt-/m);
  expect(output()).toMatch(/^curl -s -H 'Authorization: Bearer gt-/m);
  expect(existsSync(join(state, 'ready.json'))).toBe(false);
  expect(processesOf(state)).toEqual([]);
});

test("stays up with --stay, tells tools where it is, and the README's curl session works", async () => {
  const start = npmStart('--stay');
  await expect.poll(start.output, { timeout: 40_000 }).toContain('Everything stays up');
  const ready = join(state, 'ready.json');
  expect(statSync(ready).mode & 0o777).toBe(0o600);
  expect(Object.keys(JSON.parse(readFileSync(ready, 'utf8')) as object).toSorted()).toEqual(
    ['admin_token', 'hub_url', 'origin_url', 'redis_url', 'token', 'url'].toSorted(),
  );

  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const session = /## With curl[\s\S]*?```sh\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const shell = spawn('sh', ['-eu', '-c', session.replaceAll('./.platform/ready.json', ready)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  shell.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  expect(await new Promise((resolve) => shell.once('close', resolve))).toBe(0);
  expect(JSON.stringify(parseNotebook(printed))).toContain('"text":"42\\n"');

  const second = npmStart('--once');
  expect(await second.ended).toBe(3);
  expect(second.output()).toMatch(/a platform is already running on .*\(process \d+\)/);
  expect(existsSync(ready)).toBe(true);

  start.child.kill('SIGTERM');
  expect(await start.ended).toBe(143);
  expect(existsSync(ready)).toBe(false);
  expect(processesOf(state)).toEqual([]);
});

describe('kill -TERM leaves nothing running within 15 s', () => {
  test.each([
    ['as it begins', 'noteburst@'],
    ['while the hub starts', 'Redis'],
    ['while the lab spawns', 'JupyterHub'],
    ['while the notebook runs', 'Submitting'],
  ])('%s', async (_, seen) => {
    const start = npmStart('--stay');
    await expect.poll(start.output, { timeout: 40_000, interval: 20 }).toContain(seen);
    const killed = performance.now();
    start.child.kill('SIGTERM');
    await start.ended;
    await expect.poll(() => processesOf(state), { timeout: 15_000 }).toEqual([]);
    expect(performance.now() - killed).toBeLessThan(15_000);
  });
});

describe('kill -TERM during the set-up of a fresh copy leaves nothing running within 15 s', () => {
  /** The project as it would be committed now. */
  function freshCopy(): string {
    const copy = join(dir, 'copy');
    const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: ROOT,
    });
    const files = list
      .toString()
      .split('\0')
      .filter((file) => file !== '' && existsSync(join(ROOT, file)));
    for (const file of files) cpSync(join(ROOT, file), join(copy, file));
    return copy;
  }

  async function killedWhileRunning(copy: string, command: RegExp): Promise<void> {
    const start = npmStartIn(copy);
    const running = () =>
      processesOf(copy).some((pid) => {
        try {
          return command.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
        } catch {
          return false; // ended meanwhile
        }
      });
    await expect.poll(running, { timeout: 30_000, interval: 20 }).toBe(true);
    start.child.kill('SIGTERM');
    expect(await start.ended, start.output()).toBe(143);
    await expect.poll(() => processesOf(copy), { timeout: 15_000 }).toEqual([]);
  }

  test('while npm installs the packages', async () => {
    await killedWhileRunning(freshCopy(), /npm.* ci/);
  });

  test("while pip installs the labs' Python packages", async () => {
    const copy = freshCopy();
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    await killedWhileRunning(copy, /pip.* install/);
  });
});

describe('says what is wrong before it starts anything', () => {
  test.each([
    [['nowhere.ipynb'], 2, /cannot read .*nowhere\.ipynb: there is no such file/],
    [['package.json'], 2, /package\.json is not a notebook of format 4/],
    [['--executors', 'many'], 2, /a whole number from 1 to 16 is needed/],
    [['--once', '--stay'], 2, /--once and --stay exclude each other/],
  ])('%j', async (args, code, message) => {
    const { output, ended } = npmStart(...args);
    expect(await ended).toBe(code);
    expect(output()).toMatch(message);
    expect(existsSync(state)).toBe(false);
  });
});
