import type { Redis } from 'ioredis';
import type { CourierKind } from '../../../lib/contract/courier-job.ts';
import type { SuiteJobData } from '../../../lib/contract/suite-job.ts';
import { MAX_RUN_MS } from '../../../lib/contract/suite-run.ts';
import type { Logger } from '../../../lib/logger.ts';
import { SuiteRuns } from '../../../lib/queue/suite-runs.ts';
import type { CourierHandler } from '../courier-queue.ts';
import { GivenUpError } from '../errors.ts';
import { GithubApi } from '../github/github-api.ts';
import type { Outgoing } from '../outgoing/outgoing.ts';
import { Repositories } from '../repositories/repositories.ts';
import { Turns } from '../turns.ts';
import type { SuitesConfig } from './config.ts';
import { suiteRunner, type SuiteLimits } from './run-repository.ts';
import { scheduleKeeper } from './schedules.ts';

export interface SuitesParts {
  /** Absent: no suites are to be run. */
  config: SuitesConfig | undefined;
  redis: Redis;
  /** To GitHub. */
  outgoing: Pick<Outgoing, 'fetch' | 'addressesOf'>;
  /** Where callers find the reports. */
  reportsUrl: string;
  add: (id: string, data: SuiteJobData) => Promise<void>;
  log: Logger;
}

export type SuiteHandlers = Record<Extract<CourierKind, 'suite' | 'schedules'>, CourierHandler>;

const HOUR_MS = 3_600_000;
export const SUITE_LIMITS: SuiteLimits = {
  // It has one of the courier's few slots for as long.
  attemptMs: 6 * HOUR_MS,
  runMs: MAX_RUN_MS,
  lastMs: HOUR_MS / 4,
};
/** Of notebooks, without data: what a suite reads is on the platform. */
export const READ_OUT = { files: 5_000, bytes: 64 * 1024 * 1024 };

/** What the courier does with repositories. */
export function suiteHandlers(parts: SuitesParts): SuiteHandlers {
  const { config, redis, outgoing, reportsUrl, add, log } = parts;
  if (!config) {
    const refuse = async () => {
      throw new GivenUpError('This courier runs no suites: NOTEBURST_GITHUB_APP_ID is not set');
    };
    return { suite: refuse, schedules: refuse };
  }
  const api = new GithubApi(config, outgoing);
  const repositories = new Repositories({
    outgoing,
    dir: config.cachePath,
    maxBytes: config.maxRepositoryBytes,
    timeoutMs: config.fetchMs,
    limits: READ_OUT,
    caPath: config.caPath,
  });
  const runs = new SuiteRuns(redis);
  const turns = new Turns();
  return {
    suite: suiteRunner({
      config,
      api,
      repositories,
      runs,
      redis,
      turns,
      reportsUrl,
      limits: SUITE_LIMITS,
      log,
    }),
    schedules: scheduleKeeper({ redis, api, repositories: config.repositories, add, log }),
  };
}
