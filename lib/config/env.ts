import { z } from 'zod';
import { redisEnv, redisSetup, type RedisSetup } from './redis-env.ts';

/** The environment does not describe a runnable process; the message names every variable that is wrong. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** The process's exit code for it, as for any usage error. */
  readonly exitCode = 2;
}

/**
 * Reads a process's configuration from its environment. Empty variables count as absent, as manifests often leave
 * them so.
 *
 * @param schema an object of environment names
 * @throws {ConfigError} that names all problems at once, never a value (it may be a secret)
 */
export function parseEnv<Schema extends z.ZodObject>(
  schema: Schema,
  env: NodeJS.ProcessEnv,
): z.output<Schema> {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(present);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const name = issue.path.join('.');
    // A rule over several variables says itself what it wants.
    const missing = name !== '' && present[name] === undefined && issue.code !== 'custom';
    return `  ${name || 'environment'}: ${missing ? 'is required but not set' : issue.message}`;
  });
  throw new ConfigError(`The environment has ${problems.length} problem(s):\n${problems.join('\n')}`);
}

const URL_HINT = 'should be a URL such as http://host:port/path';

/** An http(s) URL without a slash at its end, so that paths can be put behind it. */
export const httpUrl = z
  .url({ protocol: /^https?$/, error: URL_HINT })
  .transform((url) => url.replace(/\/+$/, ''));

// Not int(): its complaint keeps rules over several variables from being checked too.
export const port = z.coerce.number('should be a port number').multipleOf(1).min(0).max(65_535);

export const positiveSeconds = z.coerce.number('should be a number of seconds').positive();

export const positiveInteger = z.coerce.number('should be a whole number').multipleOf(1).positive();

/** What else stands behind the prefix of all keys (see lib/contract/job-keys.ts, lib/queue): no queue may be called so. */
const TAKEN =
  /^(bots|callbacks?|cancel|epoch|events|flows|github|idempotency|inflight|lease|own|result|source|sweep|target|unfinished|verdict)$/;

export const queueNameText = z
  .string()
  .regex(/^[a-z][a-z0-9-]*$/, 'should be lower-case letters, digits and hyphens, beginning with a letter')
  .refine((name) => !TAKEN.test(name), 'is a name that other keys in Redis have');

export const queueName = queueNameText.default('nbexec');

/** What every process of the service reads. */
export const commonEnv = {
  HOST: z.string().default('127.0.0.1').describe('The address to listen on; 0.0.0.0 in a pod.'),
  PORT: port.default(8080).describe('The port to listen on.'),
  SAFIR_LOG_LEVEL: z
    .string()
    .default('INFO')
    .transform((level) => (level.toLowerCase() === 'warning' ? 'warn' : level.toLowerCase()))
    .pipe(
      z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], {
        error: 'should be one of TRACE, DEBUG, INFO, WARNING, ERROR, FATAL',
      }),
    )
    .describe('The least severe level that is logged.'),
  SAFIR_PROFILE: z
    .enum(['production', 'development'], { error: 'should be production or development' })
    .default('production')
    .describe('production logs JSON, development readable lines.'),
  ...redisEnv,
  NOTEBURST_WORKER_QUEUE_NAME: queueName.describe(
    "The pool's queue, which is also the first part of its jobs' ids; for functions, that of jobs that name no pool.",
  ),
  NOTEBURST_RESULT_RETENTION_SECONDS: positiveSeconds
    .default(86_400)
    .describe('How long an ended job and its notebooks can be read.'),
  NOTEBURST_START_WITHIN_SECONDS: positiveSeconds
    .default(86_400)
    .describe('How long a job may wait for an executor before it ends as expired.'),
  NOTEBURST_GAFAELFAWR_URL: httpUrl
    .optional()
    .describe("Gafaelfawr's v1 API; found by discovery when absent."),
  REPERTOIRE_BASE_URL: httpUrl.optional().describe('The discovery service.'),
};

/** For those who have Gafaelfawr check tokens. Also told when other variables are wrong, so that all problems show at once. */
export const GAFAELFAWR_RULE = [
  (env: { NOTEBURST_GAFAELFAWR_URL?: string | undefined; REPERTOIRE_BASE_URL?: string | undefined }) =>
    env.NOTEBURST_GAFAELFAWR_URL !== undefined || env.REPERTOIRE_BASE_URL !== undefined,
  {
    path: ['NOTEBURST_GAFAELFAWR_URL'] as PropertyKey[],
    when: () => true,
    error: 'is required but not set, unless REPERTOIRE_BASE_URL is',
  },
] as const;

/** What every process makes of the variables that all of them read. */
export interface CommonConfig {
  host: string;
  port: number;
  logLevel: string;
  prettyLogs: boolean;
  redis: RedisSetup;
  queueName: string;
  gafaelfawrUrl: string | undefined;
  resultRetentionSeconds: number;
}

export function commonConfig(env: z.output<z.ZodObject<typeof commonEnv>>): CommonConfig {
  return {
    host: env.HOST,
    port: env.PORT,
    logLevel: env.SAFIR_LOG_LEVEL,
    prettyLogs: env.SAFIR_PROFILE === 'development',
    redis: redisSetup(env),
    queueName: env.NOTEBURST_WORKER_QUEUE_NAME,
    gafaelfawrUrl: env.NOTEBURST_GAFAELFAWR_URL,
    resultRetentionSeconds: env.NOTEBURST_RESULT_RETENTION_SECONDS,
  };
}

/** Reads the configuration or ends the process with the problems on stderr: for composition roots only. */
export function configOrExit<Config>(parse: () => Config): Config {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(error.exitCode);
  }
}
