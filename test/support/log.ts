import { pino } from 'pino';
import type { Logger } from '../../lib/logger.ts';

/** A logger that keeps its lines, from the least severe on, so that a test can say what must (not) be in them. */
export function capturedLog(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  return { log, lines };
}

export const silentLog = (): Logger => pino({ level: 'silent' });
