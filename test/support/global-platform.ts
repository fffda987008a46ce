import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { TestProject } from 'vitest/node';
import { startPlatform, type Platform } from '../../platform/platform.ts';
import { StepList } from '../../platform/setup/steps.ts';
import { leftInRedis } from './leftovers.ts';

/**
 * vitest's global set-up of the tiers that need a platform: a real Redis, hub and origin for the whole run, with the
 * kind of lab that the project provides as `labKind`. The tests
 * bring functions and executors of their own. At the end nothing may be left of what they did.
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const stateDir = mkdtempSync(join(tmpdir(), 'noteburst-platform-'));
  const { labKind: kind } = project.getProvidedContext();
  const platform = await startPlatform({ stateDir, kind, functions: false, steps: new StepList() });
  project.provide('platform', {
    originUrl: platform.originUrl,
    hubUrl: `${platform.originUrl}/nb`,
    gafaelfawrUrl: `${platform.originUrl}/auth/api/v1`,
    repertoireUrl: platform.repertoireUrl,
    redisUrl: platform.redisUrl,
    adminToken: platform.adminToken,
    venvDir: platform.venvDir,
    kind,
    scratchDir: stateDir,
  });
  return async () => {
    try {
      await assertNothingLeft(platform);
    } finally {
      await platform.stop();
      rmSync(stateDir, { recursive: true, force: true });
    }
  };
}

async function assertNothingLeft(platform: Platform): Promise<void> {
  const left: string[] = [];
  for (const lab of await platform.labs()) left.push(`lab of ${lab.username}`);
  const redis = new Redis(platform.redisUrl);
  try {
    left.push(...(await leftInRedis(redis)));
  } finally {
    redis.disconnect();
  }
  if (left.length > 0) throw new Error(`The tests left behind:\n  ${left.join('\n  ')}`);
}
