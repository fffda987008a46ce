/** What the courier is given to do. Its queue has jobs of several kinds, each with data of its own. */
import { z } from 'zod';
import { CALLBACK_EVENTS } from './callback.ts';

/** BullMQ's names of the courier's jobs. */
export const COURIER_KINDS = ['callback', 'suite', 'schedules'] as const;
export type CourierKind = (typeof COURIER_KINDS)[number];

/** Suites have a queue of their own, beside the courier's: they take hours, and callbacks are not to wait for them. */
export const suitesQueueOf = (courierQueue: string): string => `${courierQueue}-suites`;

/** With the pauses between them, which double from 5 s on, these take a day at most. */
export const MAX_ATTEMPTS = 15;

/** How BullMQ keeps a job. One that is added again, as nobody knew that it was, is found to be there. */
export const COURIER_JOB = {
  attempts: MAX_ATTEMPTS,
  backoff: { type: 'courier' },
  removeOnComplete: { age: 3_600, count: 1_000 },
  removeOnFail: { age: 3_600, count: 1_000 },
};

/** A message to be delivered; where to, and the key of its signature, lie beside it in Redis. */
export const callbackJobData = z.object({
  version: z.literal(1),
  job_id: z.string(),
  type: z.enum(CALLBACK_EVENTS),
  /** The message's JSON, as it is signed: each attempt sends the same bytes. */
  body: z.string(),
});
export type CallbackJobData = z.infer<typeof callbackJobData>;

/** One for each ended job, so that one that is handed over twice is delivered once. No ":", as BullMQ wants it. */
export const callbackJobId = (jobId: string): string => `callback-${jobId}`;
