// Which process is it really? Plain JavaScript without dependencies, since bootstrap.mjs uses it on Node 20 before `npm ci`.
import { readFileSync } from 'node:fs';

/**
 * When the process started, as the kernel counts it, or undefined where there is no /proc or no such process.
 * A pid alone may have been given to somebody else since.
 *
 * @param {number} pid
 * @returns {string | undefined}
 */
export function startTimeOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name, in parentheses, may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}:${fields[19]}`;
  } catch {
    return undefined;
  }
}

/**
 * @param {number} pid
 * @param {string | undefined} startTime what `startTimeOf` said when the pid was written down
 * @returns {boolean} whether that very process still runs
 */
export function isAlive(pid, startTime) {
  const now = startTimeOf(pid);
  if (now !== undefined || startTime !== undefined) return now !== undefined && now === startTime;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/**
 * @param {number} pid
 * @returns {{ name: string, parent: number } | undefined} undefined without /proc, or without such a process
 */
function describe(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = stat.lastIndexOf(')');
    return {
      name: stat.slice(stat.indexOf('(') + 1, end),
      parent: Number(stat.slice(end + 2).split(' ')[1]),
    };
  } catch {
    return undefined;
  }
}

const SHELL = /^(sh|dash|bash|ash|zsh)$/;
const RUNNER = /npm|node|MainThread|yarn|bun/;

/** The npm that runs us through a shell, or whoever has inherited that shell; undefined where there is no shell. */
function npmBehindShell() {
  const shell = process.env.npm_lifecycle_event === undefined ? undefined : describe(process.ppid);
  return shell && SHELL.test(shell.name) ? shell.parent : undefined;
}

/**
 * Whether npm, or the shell between, was killed before this process could begin to watch them: then an init process has
 * inherited us. npm passes no signal on before it is ready to, and its shell none at all.
 *
 * @returns {boolean} false where nobody can tell: without npm, or without /proc
 */
export function npmHasDied() {
  const parent = describe(process.ppid);
  if (process.env.npm_lifecycle_event === undefined || !parent) return false;
  const npm = npmBehindShell();
  return !RUNNER.test((npm === undefined ? parent : describe(npm))?.name ?? '');
}

/**
 * Calls back once when whoever started this process has died: a killed npm sends no signal to what it started. npm does
 * that through a shell, which lives on without it, so that it is npm itself that has to be watched.
 *
 * @param {() => void} callback
 * @param {number} [everyMs]
 * @returns {() => void} stops watching
 */
export function onParentDeath(callback, everyMs = 500) {
  const parent = process.ppid;
  const npm = npmBehindShell();
  const timer = setInterval(() => {
    if (process.ppid === parent && (npm === undefined || describe(parent)?.parent === npm)) return;
    clearInterval(timer);
    callback();
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
