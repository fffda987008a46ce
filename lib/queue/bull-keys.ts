import { KEY_PREFIX } from '../contract/nbexec-job.ts';

/** BullMQ's key of a queue for one of its lists and sets, or for a job. */
export const bullKey = (queueName: string, name: string): string => `${KEY_PREFIX}:${queueName}:${name}`;

/** The scripts here know BullMQ 6.7's key layout; its version is pinned, and the tests guard it. */
export const bullKeys = (queueName: string, names: readonly string[]): string[] =>
  names.map((name) => bullKey(queueName, name));
