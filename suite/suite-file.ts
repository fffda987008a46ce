/** The file that describes a suite, `noteburst.yaml`. */
import { Cron } from 'croner';
import { LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { parseDurationSeconds } from '../lib/contract/duration.ts';
import { JOB_PRIORITIES } from '../lib/contract/nbexec-job.ts';
import { AS_WRITTEN, parameters } from './parameters.ts';
import { patternProblem } from './pattern.ts';
import { regressionOptions } from './regression/options.ts';

/** The name under which a suite file is looked for. */
export const SUITE_FILE = 'noteburst.yaml';

const pattern = z.string().superRefine((value, context) => {
  const message = patternProblem(value);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});
const patterns = z
  .union([pattern, z.array(pattern).max(100)], 'should be a pattern, or a list of patterns')
  .transform((value) => [value].flat());

const DURATION = 'should be seconds, or a duration such as "5m" or "1h 30m"';
const duration = z
  .union([z.bigint().transform(Number), z.number(), z.string()], DURATION)
  .refine(
    (value) => (typeof value === 'number' ? value > 0 : parseDurationSeconds(value) !== undefined),
    DURATION,
  );

/** How a notebook is run; what is absent is for the service to say. */
export const runOptions = z.strictObject({
  kernel: z.string().min(1).optional(),
  image: z.string().min(1).optional(),
  size: z.string().min(1).optional(),
  timeout: duration.optional(),
  cell_timeout: duration.optional(),
  retry: z.boolean().optional(),
  priority: z.enum(JOB_PRIORITIES).optional(),
  parameters: parameters.optional(),
});
export type RunOptions = z.infer<typeof runOptions>;

const expectedFailure = z
  .union(
    [z.string().min(1), z.strictObject({ reason: z.string().min(1), error: z.string().optional() })],
    'should be the reason, or { reason, error } with the name of the exception',
  )
  .transform((value) => (typeof value === 'string' ? { reason: value } : value));
export type ExpectedFailure = z.infer<typeof expectedFailure>;

const notebookOptions = runOptions.extend({
  match: patterns,
  /** By name: the notebook is run once with each. */
  parameter_sets: z.record(z.string().min(1), parameters).optional(),
  expected_failure: expectedFailure.optional(),
});

const schedule = z
  .strictObject({ name: z.string().min(1).optional(), cron: z.string(), timezone: z.string().default('UTC') })
  .superRefine(({ cron, timezone }, context) => {
    const problem = scheduleProblem(cron, timezone);
    if (problem !== undefined) context.addIssue({ code: 'custom', path: ['cron'], message: problem });
  })
  .transform(({ name, ...rest }) => ({ name: name ?? rest.cron, ...rest }));

/** @returns undefined for what a clock can follow */
function scheduleProblem(cron: string, timezone: string): string | undefined {
  try {
    const next = new Cron(cron, { timezone, mode: '5-part', paused: true }).nextRun();
    return next ? undefined : 'never comes';
  } catch (error) {
    return `should be minutes, hours, days, months and weekdays as cron has them (${(error as Error).message})`;
  }
}

export const suiteFile = z.strictObject({
  name: z.string().min(1).optional(),
  include: patterns.default(['**/*.ipynb']),
  exclude: patterns.default([]),
  defaults: runOptions.default({}),
  /** Whether outputs are to be as they were. */
  regression: regressionOptions.optional(),
  /** When the suite is run by itself, for repositories that the service knows. */
  schedules: z.array(schedule).max(20).default([]),
  /** For those that match; of several that do, the later ones win. */
  notebooks: z.array(notebookOptions).default([]),
});
export type Schedule = z.infer<typeof schedule>;
export type SuiteFile = z.infer<typeof suiteFile>;

/** A suite file, or what was given in its place, that cannot be used; the message says where and why. */
export class SuiteError extends Error {
  override readonly name = 'SuiteError';
}

/**
 * @param name how messages call the file
 * @throws {SuiteError}
 */
export function parseSuiteFile(text: string, name: string): SuiteFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { ...AS_WRITTEN, lineCounter: lines, prettyErrors: true });
  const [problem] = document.errors;
  if (problem) throw new SuiteError(`${name}: ${problem.message}`);
  const parsed = suiteFile.safeParse(valueOf(document, name) ?? {}, { error: asWritten });
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const problems = issues.slice(0, MOST_PROBLEMS).map(({ path, message }) => {
    const at = nearest(path, (inner) => document.getIn(inner, true));
    const line = at === undefined ? '' : `:${lines.linePos(at).line}`;
    const what = `${path.length === 0 ? '' : `${path.join('.')}: `}${message}`;
    return `${name}${line}: ${what.length > MOST_CHARS ? `${what.slice(0, MOST_CHARS)}…` : what}`;
  });
  const more = issues.length - problems.length;
  if (more > 0) problems.push(`${name}: ${more} more like these`);
  throw new SuiteError(problems.join('\n'));
}

/** What is said of a file that is wrong throughout, or that has thousands of names that there are not. */
const MOST_PROBLEMS = 20;
const MOST_CHARS = 500;

/** Integers are bigints here ({@link AS_WRITTEN}), which whoever wrote them does not know. */
const asWritten: z.core.$ZodErrorMap = ({ code, expected, input }) =>
  code === 'invalid_type' && typeof input === 'bigint'
    ? `Invalid input: expected ${String(expected)}, received number`
    : undefined;

/** Unfolds references: few, for nested they can stand for more than the memory holds. */
function valueOf(document: Document, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    throw new SuiteError(`${name}: ${(error as Error).message}`);
  }
}

const MAX_ALIASES = 100;

/** Where the innermost part of a path begins that is there; a missing field is told at what should have it. */
function nearest(path: readonly PropertyKey[], nodeAt: (path: unknown[]) => unknown): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const node = nodeAt(path.slice(0, length)) as { range?: [number, number, number] } | undefined;
    if (node?.range) return node.range[0];
  }
  return undefined;
}
