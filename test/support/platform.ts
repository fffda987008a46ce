import { inject } from 'vitest';

/** Where the run's local science platform is; every test shares it, so each uses bots and queues of its own. */
export interface TestPlatform {
  readonly originUrl: string;
  readonly hubUrl: string;
  readonly gafaelfawrUrl: string;
  readonly repertoireUrl: string;
  readonly redisUrl: string;
  /** has the scope admin:token */
  readonly adminToken: string;
  readonly venvDir: string;
  /** for what the tests' own processes write */
  readonly scratchDir: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    platform: TestPlatform;
  }
}

/** The platform that test/support/global-platform.ts started for this run. */
export function platform(): TestPlatform {
  return inject('platform');
}
