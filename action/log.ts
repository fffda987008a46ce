import { randomUUID } from 'node:crypto';
import { info } from '@actions/core';

/**
 * Keeps the runner from taking for a command what is written meanwhile: names, messages and tracebacks of notebooks are
 * anybody's text.
 */
export async function withoutCommands<T>(work: () => T | Promise<T>): Promise<T> {
  const end = randomUUID();
  info(`::stop-commands::${end}`);
  try {
    return await work();
  } finally {
    info(`::${end}::`);
  }
}
