// The first thing `npm start` and `npm test` run: node platform/bootstrap.mjs <script.ts> [arguments…]
//
// It must work where nothing is set up yet, on a Node as old as 20: plain JavaScript, no dependencies. It installs the
// npm packages when they are missing, finds a Node that runs TypeScript as it is, and hands over.
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { npmHasDied, onParentDeath } from './process/identity.mjs';
import { installPackages } from './setup/npm-packages.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NODE_FOR_TYPESCRIPT = 24;
/** The child stops labs and services within 15 s; only one that hangs is ended by force. */
const CHILD_GRACE_MS = 20_000;

/** @param {string} message */
function fail(message) {
  process.stderr.write(`\nerror: ${message}\n`);
  process.exit(3);
}

/** @param {string} version */
const major = (version) => Number(version.replace(/^v/, '').split('.')[0]);

/** A Node new enough: this one, or the one that the npm package `node` brought. */
function findNode() {
  if (major(process.version) >= NODE_FOR_TYPESCRIPT) return process.execPath;
  const packaged = join(
    ROOT,
    'node_modules',
    'node',
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  const found = existsSync(packaged) ? spawnSync(packaged, ['--version'], { encoding: 'utf8' }) : undefined;
  if (found?.status === 0 && major(found.stdout) >= NODE_FOR_TYPESCRIPT) return packaged;
  return fail(
    `this needs Node ${NODE_FOR_TYPESCRIPT}. Yours is ${process.version}, and the one from the npm package "node" does not run` +
      `${found ? ` (${(found.stderr || found.error?.message || found.stdout || '').trim()})` : ' (it is not there)'}.\n` +
      'It comes with an install script: if npm is set to skip those, run\n' +
      '  npm rebuild node --ignore-scripts=false --foreground-scripts\n' +
      `or install Node ${NODE_FOR_TYPESCRIPT} or newer, and start again.`,
  );
}

/** What has been told to stop: first the installation, later the script. */
const aborter = new AbortController();
let child;
let stoppedBy;

/** @param {NodeJS.Signals} signal */
function stop(signal) {
  stoppedBy ??= signal;
  aborter.abort();
  child?.kill(signal);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal));

onParentDeath(() => {
  stop('SIGTERM');
  setTimeout(() => child?.kill('SIGKILL'), CHILD_GRACE_MS).unref();
});

/** @param {NodeJS.Signals} signal */
const exitCodeOf = (signal) => 128 + (constants.signals[signal] ?? 0);

if (npmHasDied()) process.exit(exitCodeOf('SIGTERM'));

const [script, ...args] = process.argv.slice(2);
if (major(process.version) < 20) fail(`this needs Node 20 or newer; yours is ${process.version}.`);
if (!script) fail('usage: node platform/bootstrap.mjs <script.ts> [arguments…]');

try {
  await installPackages(ROOT, aborter.signal);
} catch (error) {
  if (stoppedBy) process.exit(exitCodeOf(stoppedBy));
  fail(error.message);
}
if (stoppedBy) process.exit(exitCodeOf(stoppedBy));

const PATH = [join(ROOT, 'node_modules', '.bin'), process.env.PATH].filter(Boolean).join(delimiter);
child = spawn(findNode(), [join(ROOT, script), ...args], { stdio: 'inherit', env: { ...process.env, PATH } });
child.on('error', (error) => fail(`cannot run ${script}: ${error.message}`));
child.on('exit', (code, signal) => process.exit(signal ? exitCodeOf(signal) : (code ?? 1)));
