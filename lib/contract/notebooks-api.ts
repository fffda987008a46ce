/** The wire form of /noteburst/v1/notebooks: the one source of types, validation and the OpenAPI document. */
import { z } from 'zod';
import { callbackRecord, callbackRequest } from './callback.ts';
import { parseDurationSeconds } from './duration.ts';
import { executionError, notebookError } from './execution-error.ts';
import { InvalidNotebookError, parseNotebook, checkNotebook } from './nbformat.ts';
import { JOB_PRIORITIES, jobEnvironment, jobProgress } from './nbexec-job.ts';
import { jobPhase, jobStatus } from './job-status.ts';

export const DEFAULT_KERNEL_NAME = 'lsst';
export const DEFAULT_TIMEOUT_SECONDS = 300;
/** Of all parameters together, written as JSON: they travel in the job, and large data belongs into files. */
export const MAX_PARAMETERS_BYTES = 64 * 1024;

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

const DURATION_HINT = 'Input should be a number of seconds or a duration such as "5m", "1h 30m" or "PT5M"';

/** Seconds, or a duration as text; undefined when absent or null. */
const durationSeconds = (maxSeconds: number) =>
  z
    .union(
      [
        z.number().meta({ exclusiveMinimum: 0, maximum: maxSeconds }),
        z.string().meta({ maxLength: 64, examples: ['90', '5m', '1h 30m', 'PT5M'] }),
      ],
      { error: DURATION_HINT },
    )
    .nullish()
    .transform((value, context) => {
      if (value === undefined || value === null) return undefined;
      const seconds = typeof value === 'number' ? value : parseDurationSeconds(value);
      const problem =
        seconds === undefined
          ? DURATION_HINT
          : !(seconds > 0)
            ? 'Input should be greater than 0'
            : seconds > maxSeconds
              ? `Input should be at most ${maxSeconds} seconds, the longest run this service allows`
              : undefined;
      if (problem === undefined) return seconds;
      context.addIssue({ code: 'custom', message: problem });
      return z.NEVER;
    });

const timeoutSeconds = (maxSeconds: number) =>
  durationSeconds(maxSeconds)
    .transform((seconds) => seconds ?? Math.min(DEFAULT_TIMEOUT_SECONDS, maxSeconds))
    .meta({
      description:
        'How long the run may take: seconds, or a duration such as "5m", "1h 30m", "PT5M". ' +
        `Absent or null: ${DEFAULT_TIMEOUT_SECONDS} s.`,
    });

const IDENTIFIER = /^[\p{ID_Start}_][\p{ID_Continue}]*$/u;
const NO_OBJECT = 'Input should be an object of names and values';

/** Not z.record: it passes over `__proto__` in silence, and nothing that was sent should be lost so. */
const parameters = z
  .custom<Record<string, unknown>>((value) => typeof value === 'object' && !Array.isArray(value), NO_OBJECT)
  .meta({ type: 'object' })
  .nullish()
  .transform((value, context) => {
    if (value === undefined || value === null) return undefined;
    for (const name of Object.keys(value)) {
      if (IDENTIFIER.test(name) && name !== '__proto__') continue;
      context.addIssue({
        code: 'custom',
        message: 'The name of a parameter should be an identifier',
        path: [name.slice(0, 100)],
      });
    }
    if (new TextEncoder().encode(JSON.stringify(value)).length > MAX_PARAMETERS_BYTES) {
      const message = `The parameters should be at most ${MAX_PARAMETERS_BYTES} bytes of JSON together`;
      context.addIssue({ code: 'custom', message });
    }
    return value;
  })
  .meta({
    description:
      'Values for the notebook: injected behind its cell tagged `parameters`, else before all cells, as papermill does.',
  });

const MAX_TAGS = 10;
const MAX_TAG_CHARS = 64;
const TAG_HINT = `Input should be a string of 1 to ${MAX_TAG_CHARS} characters`;

const tags = z
  .array(
    z.string(TAG_HINT).min(1, TAG_HINT).max(MAX_TAG_CHARS, TAG_HINT),
    'Input should be a list of strings',
  )
  .max(MAX_TAGS, `Input should have at most ${MAX_TAGS} tags`)
  .nullish()
  .transform((value) => (value?.length ? value : undefined))
  .meta({ description: "The caller's own words for the job, which are shown with it." });

/** A word that chooses the pool; which there are is for the service's configuration to say. */
const poolName = z
  .string('Input should be a valid string')
  .max(500, 'Input should have at most 500 characters')
  .nullish()
  .transform((name) => name ?? undefined);

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
      cell_timeout: durationSeconds(maxTimeoutSeconds).meta({
        description:
          'How long each cell may take: seconds or a duration, as `timeout`. Absent: as long as the run.',
      }),
      parameters,
      enable_retry: lenientBoolean.default(true).meta({
        description: 'Whether to run the notebook again when the lab or the executor was lost beneath it.',
      }),
      priority: z
        .enum(JOB_PRIORITIES, `Input should be one of ${JOB_PRIORITIES.join(', ')}`)
        .nullish()
        .transform((priority) => priority ?? undefined)
        .meta({
          description:
            'How soon the result is wanted: a job of a later class waits for those of an earlier one, though not for ever. ' +
            'Absent or null: interactive.',
        }),
      image: poolName.meta({
        description:
          'The image of the lab to run it in: `recommended`, `latest-weekly`, a tag, a reference; one of those that the service has. ' +
          'Absent or null: the image of the first pool that has the size.',
      }),
      size: poolName.meta({
        description:
          'The size of the lab: Small, Medium or Large. Absent or null: that of the first pool that has the image.',
      }),
      tags,
      coalesce: lenientBoolean
        .nullish()
        .transform((coalesce) => coalesce ?? false)
        .meta({
          description:
            "Whether an unfinished job of the caller's that runs the same notebook in the same way will do.",
        }),
      callback: callbackRequest,
    },
    { error: 'Input should be an object' },
  );
export type PostNotebookRequest = z.infer<ReturnType<typeof postNotebookRequest>>;

/** The query of `GET /v1/notebooks/`. */
export const listNotebooksQuery = z.object({
  limit: z.coerce
    .number('Input should be a number')
    .int('Input should be a whole number')
    .min(1, 'Input should be at least 1')
    .max(100, 'Input should be at most 100')
    .default(20)
    .meta({ description: 'How many jobs to show at most.' }),
  cursor: z.string().optional().meta({ description: "Where to go on: an earlier answer's `next_cursor`." }),
});

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
  ipynb: z
    .string()
    .optional()
    .meta({ description: 'The executed notebook (a JSON string), if success is true.' }),
  partial_ipynb: z.string().optional().meta({
    description: 'The notebook as far as it came (a JSON string), if success is false.',
  }),
  ipynb_error: notebookError.optional(),
  error: executionError.optional(),
  phase: jobPhase,
  progress: jobProgress.optional(),
  traceback: z.array(z.string()).optional().meta({
    description: "The exception's traceback, or the one that an interrupt left; its last lines when long.",
  }),
  warnings: z
    .array(z.string())
    .optional()
    .meta({ description: 'What the reader of the result should know.' }),
  attempts: z.number().int().optional().meta({ description: 'How often the job was begun.' }),
  environment: jobEnvironment.optional(),
  tags: z.array(z.string()).optional().meta({ description: 'As they were submitted.' }),
  callback: callbackRecord.optional(),
});
export type NotebookResponse = z.infer<typeof notebookResponse>;

/** The answer to `GET /v1/notebooks/`. */
export const notebookListResponse = z.object({
  jobs: z.array(notebookResponse).meta({ description: 'Newest first, without their notebooks.' }),
  next_cursor: z.string().optional().meta({ description: 'Names the next page, if there is one.' }),
});
export type NotebookListResponse = z.infer<typeof notebookListResponse>;
