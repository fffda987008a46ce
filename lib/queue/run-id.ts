import { hash } from 'node:crypto';

/**
 * The id of a suite's run: one for one cause, however often it is told. 128 bits cannot be guessed.
 *
 * @param cause a commit of a repository, or an instant of one of its schedules
 */
export const runIdOf = (cause: string): string => hash('sha256', cause, 'hex').slice(0, 32);
