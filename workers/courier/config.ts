import { z } from 'zod';
import { apiEnv, apiUrl } from '../../lib/config/api-env.ts';
import { callbackEnv } from '../../lib/config/callback-env.ts';
import {
  commonConfig,
  commonEnv,
  parseEnv,
  positiveSeconds,
  type CommonConfig,
} from '../../lib/config/env.ts';
import { withRedisRules } from '../../lib/config/redis-env.ts';
import { suitesConfig, suitesEnv, type SuitesConfig } from './suites/config.ts';
import type { AllowedHosts } from '../../lib/outgoing/allowed-hosts.ts';

/** The environment of a courier. */
export const courierEnv = withRedisRules(
  z.object({
    ...commonEnv,
    ...apiEnv,
    ...callbackEnv,
    ...suitesEnv,
    NOTEBURST_COURIER_LOCK_SECONDS: positiveSeconds
      .default(30)
      .describe('How long what a courier that died was doing stays taken.'),
    NOTEBURST_COURIER_FIRST_RETRY_SECONDS: positiveSeconds
      .default(5)
      .describe(
        'When what failed is tried again for the first time; twice as long after each time more, 15 times in all.',
      ),
  }),
);

export interface CourierConfig extends Omit<CommonConfig, 'queueName' | 'gafaelfawrUrl'> {
  queueName: string;
  /** Where callers find the API. */
  apiUrl: string;
  allowedHosts: AllowedHosts;
  lockMs: number;
  firstRetryMs: number;
  /** Absent: no suites are run. */
  suites: SuitesConfig | undefined;
  /** Where callers find the reports of suites. */
  reportsUrl: string;
}

/** @throws {ConfigError} naming every variable that is wrong */
export function courierConfig(environment: NodeJS.ProcessEnv): CourierConfig {
  const env = parseEnv(courierEnv, environment);
  const serviceUrl = apiUrl(env).replace(/\/v1$/, '');
  return {
    ...commonConfig(env),
    queueName: env.NOTEBURST_COURIER_QUEUE_NAME,
    apiUrl: apiUrl(env),
    allowedHosts: env.NOTEBURST_CALLBACK_ALLOWED_HOSTS,
    lockMs: env.NOTEBURST_COURIER_LOCK_SECONDS * 1_000,
    firstRetryMs: env.NOTEBURST_COURIER_FIRST_RETRY_SECONDS * 1_000,
    suites: suitesConfig(env, serviceUrl),
    reportsUrl: `${serviceUrl}/github`,
  };
}
