import { z } from 'zod';
import type { Pools } from '../contract/pool.ts';
import type { AllowedHosts } from '../outgoing/allowed-hosts.ts';
import { apiEnv, apiUrl } from './api-env.ts';
import { callbackEnv } from './callback-env.ts';
import {
  commonConfig,
  commonEnv,
  type CommonConfig,
  ConfigError,
  GAFAELFAWR_RULE,
  parseEnv,
  positiveInteger,
  positiveSeconds,
} from './env.ts';
import { readPools } from './pool-env.ts';
import { withRedisRules } from './redis-env.ts';

const MAX_JOB_TIMEOUT_SECONDS = 7 * 86_400;

/** The environment of the functions, submit and status alike. */
export const functionEnv = withRedisRules(
  z.object({
    ...commonEnv,
    ...apiEnv,
    ...callbackEnv,
    NOTEBURST_POOLS_PATH: z
      .string()
      .optional()
      .describe(
        "The folder with a `NAME.env` for each pool: its executors' queue, image and size. Without it there is one, of the default image and size.",
      ),
    NOTEBURST_REQUIRED_SCOPE: z
      .string()
      .default('exec:notebook')
      .describe("The scope that a caller's delegated token must have."),
    NOTEBURST_READERS: z
      .string()
      .default('')
      .transform((names) => names.split(',').flatMap((name) => name.trim() || []))
      .describe(
        'Who may read, though not cancel, the jobs of everybody: user names, with commas between them.',
      ),
    NOTEBURST_WORKER_JOB_TIMEOUT: positiveSeconds
      // Timers count 24 days at most; what is longer fires at once.
      .max(MAX_JOB_TIMEOUT_SECONDS, `should be at most ${MAX_JOB_TIMEOUT_SECONDS}, 7 days`)
      .default(3_600)
      .describe(
        'The longest run that may be asked for, and so the longest cell, in seconds; at most 7 days.',
      ),
    NOTEBURST_MAX_JOBS_PER_CALLER: positiveInteger
      .default(1_000)
      .describe('How many unfinished jobs a caller may have in the queue; more are answered with 429.'),
    NOTEBURST_STREAM_MAX_SECONDS: positiveSeconds
      // Within the 300 s that Knative gives a request by default.
      .default(240)
      .describe('How long a stream of events lasts until its caller must come again.'),
    NOTEBURST_STREAM_HEARTBEAT_SECONDS: positiveSeconds
      .default(15)
      .describe('How often a quiet stream of events says that it lives, so that no proxy closes it.'),
    NOTEBURST_MAX_WATCHERS: positiveInteger
      .default(500)
      .describe('How many callers may wait for jobs or follow them at once, in each process.'),
  }),
).refine(...GAFAELFAWR_RULE);

export interface FunctionConfig extends CommonConfig {
  /** For example /noteburst. */
  pathPrefix: string;
  /** Where callers find the API, for example https://data.example.org/noteburst/v1. */
  apiUrl: string;
  repertoireUrl: string | undefined;
  pools: Pools;
  /** What a caller's token must allow. */
  requiredScope: string;
  /** Who may read every job. */
  readers: ReadonlySet<string>;
  maxTimeoutSeconds: number;
  maxJobsPerCaller: number;
  streamMaxMs: number;
  streamHeartbeatMs: number;
  maxWatchers: number;
  /** How long a submitted notebook is kept: until the job must have started, run, and its result expired. */
  sourceTtlSeconds: number;
  /** Where callbacks may go. */
  allowedHosts: AllowedHosts;
  courierQueue: string;
}

/** @throws {ConfigError} naming every variable that is wrong */
export function functionConfig(environment: NodeJS.ProcessEnv): FunctionConfig {
  const env = parseEnv(functionEnv, environment);
  const pools = readPools(env.NOTEBURST_WORKER_QUEUE_NAME, env.NOTEBURST_POOLS_PATH);
  const courierQueue = env.NOTEBURST_COURIER_QUEUE_NAME;
  if (pools.some(({ queueName }) => queueName === courierQueue))
    throw new ConfigError('NOTEBURST_COURIER_QUEUE_NAME: is the name of a pool’s queue');
  return {
    ...commonConfig(env),
    pathPrefix: env.NOTEBURST_PATH_PREFIX,
    apiUrl: apiUrl(env),
    repertoireUrl: env.REPERTOIRE_BASE_URL,
    pools,
    allowedHosts: env.NOTEBURST_CALLBACK_ALLOWED_HOSTS,
    courierQueue,
    requiredScope: env.NOTEBURST_REQUIRED_SCOPE,
    readers: new Set(env.NOTEBURST_READERS),
    maxTimeoutSeconds: env.NOTEBURST_WORKER_JOB_TIMEOUT,
    maxJobsPerCaller: env.NOTEBURST_MAX_JOBS_PER_CALLER,
    streamMaxMs: env.NOTEBURST_STREAM_MAX_SECONDS * 1_000,
    streamHeartbeatMs: env.NOTEBURST_STREAM_HEARTBEAT_SECONDS * 1_000,
    maxWatchers: env.NOTEBURST_MAX_WATCHERS,
    sourceTtlSeconds:
      env.NOTEBURST_START_WITHIN_SECONDS +
      env.NOTEBURST_WORKER_JOB_TIMEOUT +
      env.NOTEBURST_RESULT_RETENTION_SECONDS,
  };
}
