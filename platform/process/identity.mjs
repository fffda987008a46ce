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
