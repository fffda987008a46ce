import { Cron } from 'croner';
import type { Schedule } from './suite-file.ts';

/**
 * The instant in ms that a schedule came to since it was looked at last: the first of them, when there were several, as what was
 * missed is caught up once.
 *
 * @returns undefined when there was none
 */
export function dueSince(
  { cron, timezone }: Schedule,
  lookedAtMs: number,
  nowMs: number,
): number | undefined {
  const next = new Cron(cron, { timezone, mode: '5-part', paused: true }).nextRun(new Date(lookedAtMs));
  return next && next.getTime() <= nowMs ? next.getTime() : undefined;
}
