import { hash } from 'node:crypto';

/**
 * The id of a suite's run: one for one cause, however often it is told. It is no secret: whoever knows
 * the cause can tell it.
 *
 * @param cause a commit of a repository, or an instant of one of its schedules
 */
export const runIdOf = (cause: string): string => hash('sha256', cause, 'hex').slice(0, 32);
