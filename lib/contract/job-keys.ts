/** The keys and channels that a job has beside BullMQ's own, which executors and functions meet at. */
import { KEY_PREFIX } from './nbexec-job.ts';

/** The stream of what happens to the job while it runs. */
export const eventsKey = (jobId: string): string => `${KEY_PREFIX}:events:${jobId}`;

/** Where watchers of the job are woken: with `more` when its stream has grown, with `end` when it has ended. */
export const eventsChannel = (jobId: string): string => `${KEY_PREFIX}:events:${jobId}`;

/** Whether the job is cancelled, or its end is being committed and can be cancelled no more. */
export const verdictKey = (jobId: string): string => `${KEY_PREFIX}:verdict:${jobId}`;

/** A hash: how far the telling of the job's end has come. */
export const deliveryKey = (jobId: string): string => `${KEY_PREFIX}:callback:${jobId}`;

/** Where the job's end is to be told, and with which secret: submit writes it, the courier alone reads it. */
export const targetKey = (jobId: string): string => `${KEY_PREFIX}:target:${jobId}`;

/** A sorted set, by the time of their submission: the ids of the jobs whose end is to be handed over to a courier's queue. */
export const untoldKey = (courierQueue: string): string => `${KEY_PREFIX}:callbacks:${courierQueue}`;

/** A set: the users in whose labs notebooks were ever run. They may not submit any, or a notebook could submit itself. */
export const POOL_BOTS_KEY = `${KEY_PREFIX}:bots`;

/** Where executors are told the id of a job that was cancelled. */
export const CANCEL_CHANNEL = `${KEY_PREFIX}:cancel`;
