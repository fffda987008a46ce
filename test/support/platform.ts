import { inject } from 'vitest';
import type { LabKind } from '../../platform/state.ts';

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
  /** which Python environment its labs have */
  readonly kind: LabKind;
  /** for what the tests' own processes write */
  readonly scratchDir: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    platform: TestPlatform;
    /** what vitest.config.ts asks of the project's platform */
    labKind: LabKind;
  }
}

/** The platform that test/support/global-platform.ts started for this run. */
export function platform(): TestPlatform {
  return inject('platform');
}
