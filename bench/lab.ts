import { Gafaelfawr } from '../lib/gafaelfawr.ts';
import { createLogger } from '../lib/logger.ts';
import type { Platform } from '../platform/platform.ts';
import { startLab, type StartedLab } from '../workers/executor/lab/start-lab.ts';

const BOT = 'bot-bench';

/** A lab of the bench's own, beside those of executors. */
export async function startBenchLab(platform: Platform, signal: AbortSignal): Promise<StartedLab> {
  const gafaelfawr = new Gafaelfawr(`${platform.originUrl}/auth/api/v1`, platform.adminToken);
  const expires = new Date(Date.now() + 3_600_000);
  const token = await gafaelfawr.createServiceToken({ username: BOT, scopes: ['exec:notebook'], expires });
  return startLab({
    hubUrl: `${platform.originUrl}/nb`,
    username: BOT,
    token,
    image: { selector: 'recommended' },
    size: 'Large',
    epoch: 1,
    signal,
    logger: createLogger('bench', 'fatal', false),
  });
}
