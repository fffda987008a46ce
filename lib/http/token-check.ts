import { discover } from '../discovery.ts';
import { tokenInfo } from '../gafaelfawr.ts';
import type { TokenCheck } from './caller.ts';

export interface GafaelfawrPlace {
  /** Gafaelfawr's v1 API; found by discovery when absent. */
  gafaelfawrUrl: string | undefined;
  repertoireUrl: string | undefined;
}

/** Asks Gafaelfawr, wherever it is. */
export function tokenCheck(config: GafaelfawrPlace): TokenCheck {
  let found: Promise<string> | undefined;
  const gafaelfawrUrl = async () => {
    if (config.gafaelfawrUrl !== undefined) return config.gafaelfawrUrl;
    // One discovery for the life of the process, tried anew when it failed.
    found ??= discover(config.repertoireUrl as string, AbortSignal.timeout(10_000)).then(
      (urls) => urls.gafaelfawrUrl,
    );
    found.catch(() => (found = undefined));
    return found;
  };
  return async (token, signal) => tokenInfo(await gafaelfawrUrl(), token, signal);
}
