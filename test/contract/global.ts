import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startPlatform } from '../../platform/platform.ts';
import { StepList } from '../../platform/setup/steps.ts';

/** A server that has Noteburst's API, and who may call it. */
export interface Noteburst {
  /** Up to the prefix, for example https://data.example.org/noteburst. */
  baseUrl: string;
  token: string;
  /** Of another user; undefined where there is none. */
  otherToken: string | undefined;
  /** The Python environment of its labs, where it is a local platform. */
  venvDir?: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    noteburst: Noteburst;
  }
}

/**
 * vitest's global set-up of the contract's tests. They run against `NOTEBURST_BASE_URL` with `NOTEBURST_TOKEN` (and,
 * as somebody else, `NOTEBURST_OTHER_TOKEN`); without these, against a local platform with one executor.
 */
export default async function setUp(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const {
    NOTEBURST_BASE_URL: baseUrl,
    NOTEBURST_TOKEN: token,
    NOTEBURST_OTHER_TOKEN: otherToken,
  } = process.env;
  if (baseUrl !== undefined && token !== undefined) {
    project.provide('noteburst', { baseUrl: baseUrl.replace(/\/$/, ''), token, otherToken });
    return undefined;
  }
  const stateDir = mkdtempSync(join(tmpdir(), 'noteburst-contract-'));
  const platform = await startPlatform({
    stateDir,
    executors: 1,
    executorEnv: { NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: '4' },
    steps: new StepList(),
  });
  await Promise.all(platform.executors.map((executor) => executor.ready()));
  project.provide('noteburst', {
    baseUrl: platform.noteburstUrl,
    token: await platform.createToken({ username: 'alice' }),
    otherToken: await platform.createToken({ username: 'bob' }),
    venvDir: platform.venvDir,
  });
  return async () => {
    await platform.stop();
    rmSync(stateDir, { recursive: true, force: true });
  };
}
