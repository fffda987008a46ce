import { z } from 'zod';
import { commonConfig, commonEnv, type CommonConfig, httpUrl, parseEnv, positiveSeconds } from './env.ts';

/** The environment of the functions, submit and status alike. */
export const functionEnv = z
  .object({
    ...commonEnv,
    NOTEBURST_PATH_PREFIX: z
      .string()
      .regex(/^\/[\w./-]*[\w-]$/, 'should be a path such as /noteburst')
      .default('/noteburst')
      .describe('Where the ingress serves the API.'),
    NOTEBURST_REQUIRED_SCOPE: z
      .string()
      .default('exec:notebook')
      .describe("The scope that a caller's delegated token must have."),
    NOTEBURST_ENVIRONMENT_URL: httpUrl.describe('The base URL of the science platform, as callers see it.'),
    NOTEBURST_WORKER_JOB_TIMEOUT: positiveSeconds
      .default(3_600)
      .describe('The longest run that may be asked for, in seconds.'),
  })
  .refine((env) => env.NOTEBURST_GAFAELFAWR_URL !== undefined || env.REPERTOIRE_BASE_URL !== undefined, {
    path: ['NOTEBURST_GAFAELFAWR_URL'],
    // Also when other variables are wrong, so that all problems show at once.
    when: () => true,
    error: 'is required but not set, unless REPERTOIRE_BASE_URL is',
  });

export interface FunctionConfig extends CommonConfig {
  /** For example /noteburst. */
  pathPrefix: string;
  /** Where callers find the API, for example https://data.example.org/noteburst/v1. */
  apiUrl: string;
  repertoireUrl: string | undefined;
  /** What a caller's token must allow. */
  requiredScope: string;
  maxTimeoutSeconds: number;
  /** How long a submitted notebook is kept: until the job must have started, run, and its result expired. */
  sourceTtlSeconds: number;
}

/** @throws {ConfigError} naming every variable that is wrong */
export function functionConfig(environment: NodeJS.ProcessEnv): FunctionConfig {
  const env = parseEnv(functionEnv, environment);
  return {
    ...commonConfig(env),
    pathPrefix: env.NOTEBURST_PATH_PREFIX,
    apiUrl: `${env.NOTEBURST_ENVIRONMENT_URL}${env.NOTEBURST_PATH_PREFIX}/v1`,
    repertoireUrl: env.REPERTOIRE_BASE_URL,
    requiredScope: env.NOTEBURST_REQUIRED_SCOPE,
    maxTimeoutSeconds: env.NOTEBURST_WORKER_JOB_TIMEOUT,
    sourceTtlSeconds:
      env.NOTEBURST_START_WITHIN_SECONDS +
      env.NOTEBURST_WORKER_JOB_TIMEOUT +
      env.NOTEBURST_RESULT_RETENTION_SECONDS,
  };
}
