import { z } from 'zod';
import {
  commonConfig,
  commonEnv,
  type CommonConfig,
  httpUrl,
  parseEnv,
  positiveInteger,
  positiveSeconds,
  redisUrl,
} from '../../lib/config/env.ts';
import { readIdentities, type Identity } from './identity/identity-pool.ts';
import type { KeepaliveSetting } from './lab/keepalive.ts';
import { IMAGE_SELECTORS, LAB_SIZES, labImage, type LabImage, type LabSize } from './lab/lab-image.ts';

/** Selectors that need NOTEBURST_WORKER_IMAGE_REFERENCE beside them. */
const NAMED: readonly string[] = ['tag', 'reference'];

/** The environment of an executor. */
export const executorEnv = z
  .object({
    ...commonEnv,
    REPERTOIRE_BASE_URL: httpUrl.describe('The discovery service, which names the hub and Gafaelfawr.'),
    NOTEBURST_GAFAELFAWR_TOKEN: z
      .string()
      .min(1)
      .describe('A token with admin:token, to mint those of the bots.'),
    NOTEBURST_WORKER_LOCK_REDIS_URL: redisUrl
      .optional()
      .describe('The Redis that holds the leases; the one of the queue when absent.'),
    NOTEBURST_WORKER_IDENTITIES_PATH: z
      .string()
      .min(1)
      .describe('The file that lists the bot users of this pool.'),
    NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: positiveInteger
      .default(3)
      .describe('How many notebooks run at once in a lab, each in a kernel of its own.'),
    NOTEBURST_WORKER_TOKEN_LIFETIME: positiveSeconds
      .default(86_400)
      .describe("How long the lab's token is valid."),
    NOTEBURST_WORKER_TOKEN_SCOPES: z
      .string()
      .default('exec:notebook')
      .transform((scopes) =>
        scopes
          .split(',')
          .map((scope) => scope.trim())
          .filter(Boolean),
      )
      .describe("The scopes of the lab's token, separated by commas."),
    NOTEBURST_WORKER_IMAGE_SELECTOR: z
      .enum(IMAGE_SELECTORS, { error: `should be one of ${IMAGE_SELECTORS.join(', ')}` })
      .default('recommended')
      .describe('Which image the lab runs.'),
    NOTEBURST_WORKER_IMAGE_REFERENCE: z
      .string()
      .optional()
      .describe('The image, when the selector is "tag" or "reference".'),
    NOTEBURST_WORKER_LAB_SIZE: z
      .enum(LAB_SIZES, { error: `should be one of ${LAB_SIZES.join(', ')}` })
      .default('Large')
      .describe("The lab's size."),
    NOTEBURST_WORKER_KEEPALIVE: z
      .enum(['fast', 'normal', 'hourly', 'daily', 'disabled'], {
        error: 'should be one of fast, normal, hourly, daily, disabled',
      })
      .default('normal')
      .describe('How often an idle lab is touched, so that it is not culled.'),
    NOTEBURST_WORKER_WARM_KERNEL: z
      .string()
      .default('lsst')
      .describe('The kernel that is started ahead of jobs.'),
    NOTEBURST_WORKER_LEASE_TTL_SECONDS: positiveSeconds
      .default(30)
      .describe('How long the identity of an executor that died stays taken.'),
    NOTEBURST_WORKER_LOCK_SECONDS: positiveSeconds
      .default(30)
      .describe('How long the jobs of an executor that died stay taken.'),
    NOTEBURST_WORKER_GRACE_SECONDS: positiveSeconds
      .default(3_600)
      .describe('How long running notebooks may go on after SIGTERM before they are given back.'),
  })
  .refine(
    (env) => !NAMED.includes(env.NOTEBURST_WORKER_IMAGE_SELECTOR) || env.NOTEBURST_WORKER_IMAGE_REFERENCE,
    {
      path: ['NOTEBURST_WORKER_IMAGE_REFERENCE'],
      error: 'is required when NOTEBURST_WORKER_IMAGE_SELECTOR is tag or reference',
      when: () => true,
    },
  );

export interface ExecutorConfig extends CommonConfig {
  lockRedisUrl: string;
  repertoireUrl: string;
  adminToken: string;
  identities: Identity[];
  concurrency: number;
  tokenLifetimeSeconds: number;
  tokenScopes: string[];
  image: LabImage;
  labSize: LabSize;
  keepalive: KeepaliveSetting;
  warmKernelName: string;
  leaseTtlMs: number;
  lockMs: number;
  graceMs: number;
  startWithinSeconds: number;
}

/** @throws {ConfigError} naming every variable, or entry of identities.yaml, that is wrong */
export function executorConfig(environment: NodeJS.ProcessEnv): ExecutorConfig {
  const env = parseEnv(executorEnv, environment);
  return {
    ...commonConfig(env),
    lockRedisUrl: env.NOTEBURST_WORKER_LOCK_REDIS_URL ?? env.NOTEBURST_REDIS_URL,
    repertoireUrl: env.REPERTOIRE_BASE_URL,
    adminToken: env.NOTEBURST_GAFAELFAWR_TOKEN,
    identities: readIdentities(env.NOTEBURST_WORKER_IDENTITIES_PATH),
    concurrency: env.NOTEBURST_WORKER_MAX_CONCURRENT_JOBS,
    tokenLifetimeSeconds: env.NOTEBURST_WORKER_TOKEN_LIFETIME,
    tokenScopes: env.NOTEBURST_WORKER_TOKEN_SCOPES,
    image: labImage(env.NOTEBURST_WORKER_IMAGE_SELECTOR, env.NOTEBURST_WORKER_IMAGE_REFERENCE),
    labSize: env.NOTEBURST_WORKER_LAB_SIZE,
    keepalive: env.NOTEBURST_WORKER_KEEPALIVE,
    warmKernelName: env.NOTEBURST_WORKER_WARM_KERNEL,
    leaseTtlMs: env.NOTEBURST_WORKER_LEASE_TTL_SECONDS * 1_000,
    lockMs: env.NOTEBURST_WORKER_LOCK_SECONDS * 1_000,
    graceMs: env.NOTEBURST_WORKER_GRACE_SECONDS * 1_000,
    startWithinSeconds: env.NOTEBURST_START_WITHIN_SECONDS,
  };
}
