/** What the courier is given to do. Its queue has jobs of several kinds, each with data of its own. */
import { z } from 'zod';
import { CALLBACK_EVENTS } from './callback.ts';

/** BullMQ's names of the courier's jobs. */
export const COURIER_KINDS = ['callback'] as const;
export type CourierKind = (typeof COURIER_KINDS)[number];

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
