import { renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Platform } from '../platform.ts';

/** Tells tools and tests how to reach the running platform. It holds tokens: only its owner may read it. */
export function writeReadyFile(path: string, platform: Platform, token: string): void {
  const content = {
    url: platform.noteburstUrl,
    token,
    origin_url: platform.originUrl,
    hub_url: platform.hubUrl,
    redis_url: platform.redisUrl,
    admin_token: platform.adminToken,
  };
  // Whoever waits for the file must not find half of it.
  const temporary = `${path}.${process.pid}`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}

export const removeReadyFile = (path: string): void => rmSync(path, { force: true });
