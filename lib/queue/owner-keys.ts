/** The keys of what belongs to one caller, hashed: a user's name, as an idempotency key, may hold anything. */
import { createHash } from 'node:crypto';
import { KEY_PREFIX } from '../contract/nbexec-job.ts';

const ownerKey = (kind: string, queueName: string, ...of: string[]): string =>
  `${KEY_PREFIX}:${kind}:${queueName}:${createHash('sha256').update(JSON.stringify(of)).digest('hex').slice(0, 32)}`;

/** A sorted set: the ids of the jobs that may not have ended, by the time of their admission. */
export const unfinishedKey = (queueName: string, owner: string): string =>
  ownerKey('unfinished', queueName, owner);

/** A sorted set: the ids of the newest jobs, by the time they were enqueued. */
export const ownJobsKey = (queueName: string, owner: string): string => ownerKey('own', queueName, owner);

/** The id of the newest job that runs the same in the same way. */
export const inflightKey = (queueName: string, owner: string, fingerprint: string): string =>
  ownerKey('inflight', queueName, owner, fingerprint);

/** A hash: which job an idempotency key stands for, in whichever queue it is. */
export const idempotencyKey = (owner: string, key: string): string =>
  ownerKey('idempotency', 'any', owner, key);
