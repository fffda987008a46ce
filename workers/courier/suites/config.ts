import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, httpUrl, positiveInteger, positiveSeconds } from '../../../lib/config/env.ts';
import { githubHost, githubRepositories, type GithubRepositories } from '../../../lib/config/github-env.ts';
import type { AllowedHosts } from '../../../lib/outgoing/allowed-hosts.ts';
import type { GithubApp } from '../github/github-api.ts';

const HTTPS_PORT = 443;
const PUBLIC_HOST = 'github.com';
const PUBLIC_API = 'api.github.com';

/** What a courier reads that runs the suites of repositories. */
export const suitesEnv = {
  NOTEBURST_GITHUB_APP_ID: z
    .string()
    .regex(/^\w+$/, 'should be the id of a GitHub App')
    .optional()
    .describe(
      'The id of the GitHub App by which repositories are read and told of their suites; without it none are run.',
    ),
  NOTEBURST_GITHUB_PRIVATE_KEY_PATH: z
    .string()
    .optional()
    .describe("The file with the app's private key (PEM)."),
  NOTEBURST_GITHUB_TOKEN_PATH: z
    .string()
    .optional()
    .describe(
      'The file with the token of the service user whose notebooks the suites are; it is read for each suite.',
    ),
  NOTEBURST_GITHUB_SERVICE_URL: httpUrl
    .optional()
    .describe('Where the courier submits notebooks; where callers do when absent.'),
  NOTEBURST_GITHUB_REPOSITORIES: githubRepositories,
  NOTEBURST_GITHUB_HOST: githubHost.describe(
    'The host that repositories are on, github.com when absent; with another port `host:8443`, of the platform’s own network `internal:git.example.org`.',
  ),
  NOTEBURST_GITHUB_CACHE_PATH: z
    .string()
    .default('/tmp/noteburst-repositories')
    .describe(
      'The folder for clones, which have four times the largest repository at most, and for what is read out of them, 64 MiB at most for each suite that runs; no other process uses it.',
    ),
  NOTEBURST_GITHUB_MAX_REPOSITORY_BYTES: positiveInteger
    .default(512 * 1024 * 1024)
    .describe('The largest repository that is fetched, in bytes of a clone of one commit.'),
  NOTEBURST_GITHUB_FETCH_SECONDS: positiveSeconds.default(300).describe('How long a fetch may take.'),
  GIT_SSL_CAINFO: z
    .string()
    .optional()
    .describe('git’s own: the file of CAs by which it knows the host, in the place of the usual ones.'),
};

export interface SuitesConfig extends GithubApp {
  tokenPath: string;
  serviceUrl: string;
  /** Where callers find the service. */
  publicUrl: string;
  repositories: GithubRepositories;
  /** https://host, where repositories and commits are. */
  hostUrl: string;
  hosts: AllowedHosts;
  cachePath: string;
  maxRepositoryBytes: number;
  fetchMs: number;
  caPath: string | undefined;
}

/**
 * @param callersUrl where callers find the service
 * @returns undefined when no suites are to be run
 * @throws {ConfigError}
 */
export function suitesConfig(
  env: z.output<z.ZodObject<typeof suitesEnv>>,
  callersUrl: string,
): SuitesConfig | undefined {
  const appId = env.NOTEBURST_GITHUB_APP_ID;
  if (appId === undefined) return undefined;
  const { NOTEBURST_GITHUB_PRIVATE_KEY_PATH: keyPath, NOTEBURST_GITHUB_TOKEN_PATH: tokenPath } = env;
  if (keyPath === undefined || tokenPath === undefined)
    throw new ConfigError(
      'NOTEBURST_GITHUB_PRIVATE_KEY_PATH and NOTEBURST_GITHUB_TOKEN_PATH: are required with NOTEBURST_GITHUB_APP_ID',
    );
  const host = env.NOTEBURST_GITHUB_HOST;
  const hostUrl = `https://${host.name}${host.port === HTTPS_PORT ? '' : `:${host.port}`}`;
  const isPublic = host.name === PUBLIC_HOST;
  return {
    appId,
    privateKey: readOrFail(keyPath),
    apiUrl: isPublic ? `https://${PUBLIC_API}` : `${hostUrl}/api/v3`,
    tokenPath,
    serviceUrl: env.NOTEBURST_GITHUB_SERVICE_URL ?? callersUrl,
    publicUrl: callersUrl,
    repositories: env.NOTEBURST_GITHUB_REPOSITORIES,
    hostUrl,
    hosts: isPublic ? [host, { ...host, name: PUBLIC_API }] : [host],
    cachePath: env.NOTEBURST_GITHUB_CACHE_PATH,
    maxRepositoryBytes: env.NOTEBURST_GITHUB_MAX_REPOSITORY_BYTES,
    fetchMs: env.NOTEBURST_GITHUB_FETCH_SECONDS * 1_000,
    caPath: env.GIT_SSL_CAINFO,
  };
}

function readOrFail(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(`NOTEBURST_GITHUB_PRIVATE_KEY_PATH: ${path}: cannot be read (${code})`);
  }
}
