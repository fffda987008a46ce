/** What submit puts on the queue and what an executor leaves there; both ends and status read it by these schemas. */
import { z } from 'zod';
import { shownCallback } from './callback.ts';
import { executionError, notebookError } from './execution-error.ts';

/** The hash tag keeps every key of the service in one slot of a Redis Cluster, as BullMQ's scripts need. */
export const KEY_PREFIX = '{noteburst}';

/** BullMQ's name of a job; there is one kind. */
export const JOB_NAME = 'nbexec';

/** How soon a job is wanted, the most urgent first. */
export const JOB_PRIORITIES = ['interactive', 'ci', 'batch'] as const;
export type JobPriority = (typeof JOB_PRIORITIES)[number];

/** BullMQ's job data: small; the notebook itself lies in the result store. */
export const nbexecJobData = z.object({
  version: z.literal(1),
  owner: z.string(),
  kernel_name: z.string(),
  timeout_seconds: z.number().positive(),
  enable_retry: z.boolean(),
  /** Injected into the notebook before it runs. */
  parameters: z.record(z.string(), z.unknown()).optional(),
  cell_timeout_seconds: z.number().positive().optional(),
  /** Absent: interactive. */
  priority: z.enum(JOB_PRIORITIES).optional(),
  /** The owner's own words for it. */
  tags: z.array(z.string()).optional(),
  /** Where its end is told, as it is shown; what delivering takes lies beside the job. */
  callback: shownCallback.optional(),
  /** Set by the executor just before the first cell, when `enable_retry` is false: from then on no rerun. */
  first_cell_started: z.boolean().optional(),
  /** How often an executor gave the job back because its lab failed. */
  lost_attempts: z.number().int().optional(),
  /** How often it did so because output was lost with the connection to a lab that lives. */
  lost_connections: z.number().int().optional(),
  /** How many executors had died of the job when it last lost its lab: if more have since, it lost one of them later. */
  lab_lost_at: z.number().int().optional(),
});
export type NbexecJobData = z.infer<typeof nbexecJobData>;

export const jobProgress = z.object({
  cells_done: z.number().int().meta({ description: 'Code cells that have ended.' }),
  cells_total: z.number().int().meta({ description: 'Code cells that will be run.' }),
  current_cell: z.number().int().optional().meta({
    description: 'The cell that runs now, counted from 0 over all cells of the notebook.',
  }),
});
export type JobProgress = z.infer<typeof jobProgress>;

export const jobEnvironment = z.object({
  image: z.string().meta({ description: 'The image of the lab, as it was chosen.' }),
  kernel: z.string().meta({ description: 'The kernel that the notebook ran in.' }),
  executor: z.string().meta({ description: 'The host name of the executor.' }),
  lab: z.string().meta({ description: 'The user whose lab it was.' }),
});
export type JobEnvironment = z.infer<typeof jobEnvironment>;

/** BullMQ's returnvalue: how the job ended, and where its notebook lies. Committing it is the job's one end. */
export const nbexecOutcome = z.object({
  /** Names the attempt whose result body counts; absent when there is no notebook to show. */
  result_id: z.string().optional(),
  ipynb_error: notebookError.optional(),
  error: executionError.optional(),
  traceback: z.array(z.string()).optional(),
  warnings: z.array(z.string()).optional(),
  /** How far the run came; the progress that is written while it runs lags behind. */
  progress: jobProgress.optional(),
  environment: jobEnvironment.optional(),
});
export type NbexecOutcome = z.infer<typeof nbexecOutcome>;

/**
 * A job id is `<queue>-<128 random bits>`, so that its queue is known without a look-up. BullMQ wants no ":" and
 * nothing that looks like an integer.
 */
export function newJobId(queueName: string): string {
  const bits = crypto.getRandomValues(new Uint8Array(16));
  return `${queueName}-${Array.from(bits, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** The queue that a job's id names. */
export const queueNameOf = (jobId: string): string => jobId.slice(0, -33);

/** Whether the text can be the id of a job in this queue. */
export function isJobId(text: string, queueName: string): boolean {
  return text.startsWith(`${queueName}-`) && /^[0-9a-f]{32}$/.test(text.slice(queueName.length + 1));
}
