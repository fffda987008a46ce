/** The wire form of /noteburst/v1/notebooks: the one source of types, validation and the OpenAPI document. */
import { z } from 'zod';
import { parseDurationSeconds } from './duration.ts';
import { executionError, notebookError } from './execution-error.ts';
import { InvalidNotebookError, parseNotebook, checkNotebook } from './nbformat.ts';
import { jobProgress } from './nbexec-job.ts';
import { jobPhase, jobStatus } from './job-status.ts';

export const DEFAULT_KERNEL_NAME = 'lsst';
export const DEFAULT_TIMEOUT_SECONDS = 300;

/** Every way of saying yes or no that Noteburst v1 takes, in a body or a query. */
const lenientBoolean = z.union([
  z.boolean(),
  z.literal([0, 1]).transform((bit) => bit === 1),
  z.stringbool({
    truthy: ['true', '1', 'yes', 'on', 't', 'y'],
    falsy: ['false', '0', 'no', 'off', 'f', 'n'],
  }),
]);

/** The notebook as text, checked to be one: a string is kept to the letter, an object is written as JSON. */
const ipynb = z
  .union([z.string(), z.record(z.string(), z.unknown())], {
    error: 'Input should be a string holding the JSON of a notebook, or the notebook itself as an object',
  })
  .transform((value, context) => {
    try {
      if (typeof value === 'string') parseNotebook(value);
      else checkNotebook(value);
      return typeof value === 'string' ? value : JSON.stringify(value);
    } catch (error) {
      if (!(error instanceof InvalidNotebookError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  })
  .meta({
    description: 'The notebook: a string holding its JSON, or the notebook object (nbformat 4.0 to 4.5).',
  });

const timeoutSeconds = (maxSeconds: number) =>
  z
    .union([z.number(), z.string()], {
      error: 'Input should be a number of seconds or a duration such as "5m", "1h 30m" or "PT5M"',
    })
    .nullish()
    .transform((value, context) => {
      if (value === undefined || value === null) return Math.min(DEFAULT_TIMEOUT_SECONDS, maxSeconds);
      const seconds = typeof value === 'number' ? value : parseDurationSeconds(value);
      const problem =
        seconds === undefined
          ? 'Input should be a number of seconds or a duration such as "5m", "1h 30m" or "PT5M"'
          : !(seconds > 0)
            ? 'Input should be greater than 0'
            : seconds > maxSeconds
              ? `Input should be at most ${maxSeconds} seconds, the longest run this service allows`
              : undefined;
      if (problem === undefined) return seconds as number;
      context.addIssue({ code: 'custom', message: problem });
      return z.NEVER;
    })
    .meta({
      description:
        'How long the run may take: seconds, or a duration such as "5m", "1h 30m", "PT5M". ' +
        `Absent or null: ${DEFAULT_TIMEOUT_SECONDS} s.`,
    });

/**
 * The body of `POST /v1/notebooks/`. Fields it does not know are ignored, as v1 does.
 *
 * @param maxTimeoutSeconds the longest run that the service is configured to allow
 */
export const postNotebookRequest = (maxTimeoutSeconds: number) =>
  z.object(
    {
      ipynb,
      kernel_name: z
        .string('Input should be a valid string')
        .min(1, 'Input should not be empty')
        .max(200, 'Input should have at most 200 characters')
        .default(DEFAULT_KERNEL_NAME)
        .meta({ description: 'The Jupyter kernel to run the notebook with.' }),
      timeout: timeoutSeconds(maxTimeoutSeconds),
      enable_retry: lenientBoolean.default(true).meta({
        description: 'Whether to run the notebook again when the lab or the executor was lost beneath it.',
      }),
    },
    { error: 'Input should be an object' },
  );
export type PostNotebookRequest = z.infer<ReturnType<typeof postNotebookRequest>>;

/** The query of `GET /v1/notebooks/{job_id}`. */
export const getNotebookQuery = z.object({
  source: lenientBoolean.default(false).meta({ description: 'Include the notebook as it was submitted.' }),
  result: lenientBoolean.default(true).meta({ description: 'Include the result of a complete job.' }),
});
export type GetNotebookQuery = z.infer<typeof getNotebookQuery>;

const instant = z.iso.datetime();

/** The answer to POST and GET. Fields without a value are left out, never null. */
export const notebookResponse = z.object({
  job_id: z.string(),
  kernel_name: z.string(),
  enqueue_time: instant,
  status: jobStatus,
  self_url: z.url(),
  timeout: z.number().meta({ description: "The job's timeout in seconds." }),
  source: z
    .string()
    .optional()
    .meta({ description: 'The submitted notebook (a JSON string), if asked for.' }),
  start_time: instant.optional(),
  finish_time: instant.optional(),
  success: z.boolean().optional().meta({
    description: 'Whether the service ran the notebook; true also when the notebook raised, see ipynb_error.',
  }),
  ipynb: z.string().optional().meta({ description: 'The executed notebook (a JSON string).' }),
  ipynb_error: notebookError.optional(),
  error: executionError.optional(),
  phase: jobPhase,
  progress: jobProgress.optional(),
});
export type NotebookResponse = z.infer<typeof notebookResponse>;
