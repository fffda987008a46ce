import { z } from 'zod';
import { apiEnv, apiUrl } from './api-env.ts';
import {
  commonConfig,
  GAFAELFAWR_RULE,
  commonEnv,
  parseEnv,
  queueNameText,
  type CommonConfig,
} from './env.ts';
import { githubRepositories, secrets, type GithubRepositories } from './github-env.ts';
import { withRedisRules } from './redis-env.ts';

/** The environment of the function that GitHub calls. */
export const githubFunctionEnv = withRedisRules(
  z.object({
    ...commonEnv,
    ...apiEnv,
    NOTEBURST_COURIER_QUEUE_NAME: queueNameText.default('courier').describe("The courier's queue."),
    NOTEBURST_REQUIRED_SCOPE: z
      .string()
      .default('exec:notebook')
      .describe('The scope that the delegated token of who reads reports must have.'),
    NOTEBURST_GITHUB_REPOSITORIES: githubRepositories,
    NOTEBURST_GITHUB_WEBHOOK_SECRETS: secrets.describe(
      'The secrets that GitHub signs with, with commas between them: while one is replaced, there are two.',
    ),
    NOTEBURST_GITHUB_SCHEDULE_SECRETS: secrets.describe(
      'What the CronJob that calls `/github/scheduled` sends as its bearer token; as above there may be two.',
    ),
  }),
).refine(...GAFAELFAWR_RULE);

export interface GithubFunctionConfig extends CommonConfig {
  pathPrefix: string;
  courierQueue: string;
  repertoireUrl: string | undefined;
  requiredScope: string;
  repositories: GithubRepositories;
  webhookSecrets: readonly string[];
  scheduleSecrets: readonly string[];
  /** Where callers find the reports. */
  reportsUrl: string;
}

/** @throws {ConfigError} naming every variable that is wrong */
export function githubFunctionConfig(environment: NodeJS.ProcessEnv): GithubFunctionConfig {
  const env = parseEnv(githubFunctionEnv, environment);
  return {
    ...commonConfig(env),
    pathPrefix: env.NOTEBURST_PATH_PREFIX,
    courierQueue: env.NOTEBURST_COURIER_QUEUE_NAME,
    repertoireUrl: env.REPERTOIRE_BASE_URL,
    requiredScope: env.NOTEBURST_REQUIRED_SCOPE,
    repositories: env.NOTEBURST_GITHUB_REPOSITORIES,
    webhookSecrets: env.NOTEBURST_GITHUB_WEBHOOK_SECRETS,
    scheduleSecrets: env.NOTEBURST_GITHUB_SCHEDULE_SECRETS,
    reportsUrl: apiUrl(env).replace(/\/v1$/, '/github'),
  };
}
