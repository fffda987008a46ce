import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManagedProcess } from '../process/managed-process.ts';
import { ROOT } from '../state.ts';
import type { ServiceContext } from './context.ts';

/** Where the product finds what it needs: the same in every one of its processes. */
export interface ProductSettings {
  originUrl: string;
  repertoireUrl: string;
  redisUrl: string;
  logLevel: string;
  entries: Entries;
}

/** The product's entry points, the same files that run in the pods. */
export const ENTRIES = {
  submit: join(ROOT, 'functions/submit/index.ts'),
  status: join(ROOT, 'functions/status/index.ts'),
  executor: join(ROOT, 'workers/executor/main.ts'),
  github: join(ROOT, 'functions/github/index.ts'),
  courier: join(ROOT, 'workers/courier/main.ts'),
};
export type Entries = Record<keyof typeof ENTRIES, string>;

interface Start {
  name: string;
  entry: keyof typeof ENTRIES;
  port: number;
  env: Record<string, string>;
  graceMs?: number;
}

/** Runs an entry point by its environment alone, and leaves everything else to it. */
function start(context: ServiceContext, settings: ProductSettings, options: Start): ManagedProcess {
  const process_ = new ManagedProcess({
    name: options.name,
    command: process.execPath,
    args: [settings.entries[options.entry]],
    env: {
      ...context.env,
      HOST: '127.0.0.1',
      PORT: String(options.port),
      NOTEBURST_ENVIRONMENT_URL: settings.originUrl,
      NOTEBURST_REDIS_URL: settings.redisUrl,
      REPERTOIRE_BASE_URL: settings.repertoireUrl,
      SAFIR_LOG_LEVEL: settings.logLevel,
      SAFIR_PROFILE: 'production',
      ...options.env,
    },
    logDir: context.paths.logs,
    record: context.record,
    ...(options.graceMs !== undefined && { graceMs: options.graceMs }),
  });
  context.started(process_);
  return process_;
}

/** Starts one of the functions, or a courier, and waits until it answers. */
export async function startServer(
  context: ServiceContext,
  settings: ProductSettings,
  entry: 'submit' | 'status' | 'github' | 'courier',
  port: number,
  env: Record<string, string> = {},
): Promise<ManagedProcess> {
  const defaults = { NOTEBURST_PATH_PREFIX: '/noteburst' };
  const process_ = start(context, settings, { name: entry, entry, port, env: { ...defaults, ...env } });
  const timing = { timeoutMs: 30_000, signal: context.signal };
  await process_.waitForUrl(`http://127.0.0.1:${port}/health/ready`, timing);
  return process_;
}

export interface ExecutorOptions {
  name: string;
  port: number;
  adminToken: string;
  identitiesPath: string;
  env: Record<string, string>;
}

/** An executor that has been started: it is ready once its lab is warm. */
export interface Executor {
  process: ManagedProcess;
  healthUrl: string;
  /** Waits until the lab is warm. */
  ready(timeoutMs?: number): Promise<void>;
}

/** So that an executor gives back what large messages took; docs/fidelity.md asks the same of deployments. */
const SMALL_MEMORY = { MALLOC_MMAP_THRESHOLD_: '65536', NODE_OPTIONS: '--max-semi-space-size=4' };

/** Starts an executor; it takes an identity and spawns its lab on its own. */
export function startExecutor(
  context: ServiceContext,
  settings: ProductSettings,
  options: ExecutorOptions,
): Executor {
  const process_ = start(context, settings, {
    name: options.name,
    entry: 'executor',
    port: options.port,
    env: {
      NOTEBURST_GAFAELFAWR_TOKEN: options.adminToken,
      NOTEBURST_WORKER_IDENTITIES_PATH: options.identitiesPath,
      NOTEBURST_WORKER_IMAGE_SELECTOR: 'recommended',
      // Within the grace below it gives back what still runs, stops its lab and deletes its token.
      NOTEBURST_WORKER_GRACE_SECONDS: '1',
      ...SMALL_MEMORY,
      ...options.env,
    },
    graceMs: 6_000,
  });
  const healthUrl = `http://127.0.0.1:${options.port}/health`;
  return {
    process: process_,
    healthUrl,
    ready: (timeoutMs = 90_000) =>
      process_.waitForUrl(`${healthUrl}/ready`, { timeoutMs, signal: context.signal }),
  };
}

/** Writes the pool of bot identities as an executor reads it (JSON is YAML, too). */
export function writeIdentities(path: string, usernames: readonly string[]): void {
  writeFileSync(
    path,
    `${JSON.stringify(
      usernames.map((username) => ({ username })),
      undefined,
      2,
    )}\n`,
  );
}
