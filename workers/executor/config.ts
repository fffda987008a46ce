import { z } from 'zod';
import {
  commonConfig,
  commonEnv,
  type CommonConfig,
  httpUrl,
  parseEnv,
  positiveInteger,
  positiveSeconds,
} from '../../lib/config/env.ts';
import { poolEnv, withPoolRules } from '../../lib/config/pool-env.ts';
import { redisUrl, withRedisRules, type RedisSetup } from '../../lib/config/redis-env.ts';
import { labImage, type LabImage, type LabSize } from '../../lib/contract/lab-image.ts';
import { readIdentities, type Identity } from './identity/identity-pool.ts';
import { ISOLATIONS, type Isolation } from './jobs/isolation.ts';
import type { KeepaliveSetting } from './lab/keepalive.ts';
import { DEFAULT_OUTPUT_LIMITS, type OutputLimits } from './notebook/output-budget.ts';

/** A notebook with more could not be read again. */
const MAX_OUTPUT_BYTES = 128 * 2 ** 20;

const BACKENDS = ['websocket', 'extension'] as const;

/** The environment of an executor. */
export const executorEnv = withPoolRules(
  withRedisRules(
    z.object({
      ...commonEnv,
      ...poolEnv,
      REPERTOIRE_BASE_URL: httpUrl.describe('The discovery service, which names the hub and Gafaelfawr.'),
      NOTEBURST_GAFAELFAWR_TOKEN: z
        .string()
        .min(1)
        .describe('A token with admin:token, to mint those of the bots.'),
      NOTEBURST_RESULT_RETENTION_BYTES: positiveInteger
        .default(2 ** 30)
        .describe(
          'What the notebooks of ended jobs may take together, compressed as they are stored; the oldest go first. Well below the maxmemory of Redis.',
        ),
      NOTEBURST_WORKER_LOCK_REDIS_URL: redisUrl
        .optional()
        .describe('A Redis for the leases alone, without sentinels; the one of the queue when absent.'),
      NOTEBURST_WORKER_IDENTITIES_PATH: z
        .string()
        .min(1)
        .describe('The file that lists the bot users of this pool.'),
      NOTEBURST_WORKER_BACKEND: z
        .enum(BACKENDS, { error: `should be one of ${BACKENDS.join(', ')}` })
        .default('websocket')
        .describe('How notebooks are run in a lab; see [backends](backends.md).'),
      NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: positiveInteger
        .default(3)
        .describe(
          'How many notebooks run at once in a lab, each in a kernel of its own; always one with the backend `extension`.',
        ),
      NOTEBURST_WORKER_ISOLATION: z
        .enum(ISOLATIONS, { error: `should be one of ${ISOLATIONS.join(', ')}` })
        .default('submitter')
        .describe(
          'Whose notebooks may share a lab: those of one `submitter` at a time, of one for as long as the `lab` lives, or all (`none`).',
        ),
      NOTEBURST_WORKER_MAX_KERNELS: positiveInteger
        .optional()
        .describe(
          'How many kernels there may be in a lab, warm ones included, at about 70 MB each; twice as many as jobs when absent.',
        ),
      NOTEBURST_WORKER_MAX_OUTPUT_BYTES: positiveInteger
        .max(MAX_OUTPUT_BYTES, `should be at most ${MAX_OUTPUT_BYTES}`)
        .default(DEFAULT_OUTPUT_LIMITS.maxOutputBytes)
        .describe(
          'What is kept of all outputs of a notebook together; see [output limits](fidelity.md#output-limits).',
        ),
      NOTEBURST_WORKER_MAX_OUTPUTS: positiveInteger
        .default(DEFAULT_OUTPUT_LIMITS.maxOutputs)
        .describe('How many outputs of a notebook are kept.'),
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
    }),
  ),
).refine((env) => !(Number(env.NOTEBURST_WORKER_MAX_KERNELS) < env.NOTEBURST_WORKER_MAX_CONCURRENT_JOBS), {
  path: ['NOTEBURST_WORKER_MAX_KERNELS'],
  error: 'should not be less than NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: each job has a kernel of its own',
  when: () => true,
});

export interface ExecutorConfig extends CommonConfig {
  /** What the stored notebooks of ended jobs may take together. */
  resultRetentionBytes: number;
  lockRedis: RedisSetup;
  repertoireUrl: string;
  adminToken: string;
  identities: Identity[];
  backend: (typeof BACKENDS)[number];
  /** How many notebooks run at once in a lab. */
  concurrency: number;
  isolation: Isolation;
  /** Warm ones included. */
  maxKernels: number;
  outputLimits: OutputLimits;
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
  const common = commonConfig(env);
  return {
    ...common,
    resultRetentionBytes: env.NOTEBURST_RESULT_RETENTION_BYTES,
    lockRedis: lockRedis(common.redis, env.NOTEBURST_WORKER_LOCK_REDIS_URL),
    repertoireUrl: env.REPERTOIRE_BASE_URL,
    adminToken: env.NOTEBURST_GAFAELFAWR_TOKEN,
    identities: readIdentities(env.NOTEBURST_WORKER_IDENTITIES_PATH),
    backend: env.NOTEBURST_WORKER_BACKEND,
    concurrency: env.NOTEBURST_WORKER_BACKEND === 'extension' ? 1 : env.NOTEBURST_WORKER_MAX_CONCURRENT_JOBS,
    isolation: env.NOTEBURST_WORKER_ISOLATION,
    maxKernels: env.NOTEBURST_WORKER_MAX_KERNELS ?? 2 * env.NOTEBURST_WORKER_MAX_CONCURRENT_JOBS,
    outputLimits: {
      maxOutputBytes: env.NOTEBURST_WORKER_MAX_OUTPUT_BYTES,
      maxOutputs: env.NOTEBURST_WORKER_MAX_OUTPUTS,
    },
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

function lockRedis({ sentinel, ...queue }: RedisSetup, url: string | undefined): RedisSetup {
  return url === undefined ? { ...queue, ...(sentinel && { sentinel }) } : { ...queue, url };
}
