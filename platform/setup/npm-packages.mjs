// `npm ci`, when it is needed and only then. Plain JavaScript for Node 20: see bootstrap.mjs.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { waitForLock } from '../process/file-lock.mjs';

const PROGRESS_EVERY_MS = 10_000;
const KILL_AFTER_MS = 5_000;

/** @param {string} text */
const say = (text) => process.stdout.write(`${text}\n`);

/** @param {string} path */
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/**
 * Whether npm's own record of what it installed agrees with the lockfile, for a tree that somebody set up by hand.
 *
 * @param {string} root
 */
function installedAsLocked(root) {
  try {
    const locked = readJson(join(root, 'package-lock.json')).packages;
    const installed = readJson(join(root, 'node_modules', '.package-lock.json')).packages;
    for (const [path, { version, optional, peer, devOptional }] of Object.entries(locked)) {
      if (path === '') continue;
      if (installed[path] ? installed[path].version !== version : !(optional || peer || devOptional))
        return false;
      if (installed[path] && !existsSync(join(root, path))) return false;
    }
    return true;
  } catch {
    return false;
  }
}

/**
 * How to start npm: the one that is running this script, else the one on PATH.
 *
 * @returns {[string, string[]]}
 */
function npmCommand() {
  const cli = process.env.npm_execpath;
  if (cli && basename(cli) === 'npm-cli.js' && existsSync(cli)) return [process.execPath, [cli]];
  return ['npm', []];
}

/**
 * @param {string} root
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function npmCi(root, signal) {
  const [command, args] = npmCommand();
  return new Promise((resolve, reject) => {
    // A process group of its own: npm's install scripts are its grandchildren and must end with it.
    const child = spawn(command, [...args, 'ci', '--include=dev', '--no-progress'], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    const killGroup = (name) => {
      try {
        process.kill(-child.pid, name);
      } catch {
        // Already gone.
      }
    };
    let killTimer;
    const onAbort = () => {
      killGroup('SIGTERM');
      killTimer = setTimeout(() => killGroup('SIGKILL'), KILL_AFTER_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const settle = (error) => {
      clearTimeout(killTimer);
      signal.removeEventListener('abort', onAbort);
      // npm itself may be gone while a script it started is not.
      if (signal.aborted) killGroup('SIGKILL');
      if (error) reject(error);
      else resolve();
    };
    child.on('error', (error) => settle(new Error(`npm cannot be run: ${error.message}`)));
    child.on('exit', (code, by) => {
      if (code === 0 && !signal.aborted) return settle();
      const text = Buffer.concat(output).toString().trim();
      settle(new Error(`npm ci failed (${by ?? `exit code ${code}`})\n${text}`));
    });
  });
}

/**
 * Installs the npm packages unless those of this very lockfile are there.
 *
 * @param {string} root
 * @param {AbortSignal} signal
 */
export async function installPackages(root, signal) {
  const stampFile = join(root, 'node_modules', '.noteburst-stamp');
  const stamp = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const upToDate = () => existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
  if (upToDate()) return;
  const release = await waitForLock(join(root, '.platform', 'npm.lock'), {
    signal,
    onWait: (pid) => say(`… npm packages: waiting for process ${pid}, which is installing them`),
  });
  try {
    if (upToDate()) return;
    if (!installedAsLocked(root)) {
      const started = Date.now();
      const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`;
      if (process.stdout.isTTY) process.stdout.write('… npm packages (npm ci)');
      const progress = setInterval(
        () => {
          if (process.stdout.isTTY) process.stdout.write(`\r… npm packages (npm ci)  ${seconds()}`);
          else say(`… npm packages (npm ci)  ${seconds()}`);
        },
        process.stdout.isTTY ? 200 : PROGRESS_EVERY_MS,
      );
      try {
        await npmCi(root, signal);
      } finally {
        clearInterval(progress);
        if (process.stdout.isTTY) process.stdout.write('\r\u001b[K');
      }
      say(`✓ npm packages  ${seconds()}`);
    }
    // Last, so that an interrupted installation is done again.
    writeFileSync(stampFile, stamp);
  } finally {
    release();
  }
}
