import type { Logger } from '../../../lib/logger.ts';
import { HubClient } from './hub-client.ts';
import { JupyterHttp } from './jupyter-http.ts';

/** How a bot reaches its hub and lab. */
export interface LabAccess {
  /** Nublado's base, for example https://data.example.org/nb */
  readonly hubUrl: string;
  readonly username: string;
  /** the bot's own Gafaelfawr token */
  readonly token: string;
  readonly logger: Logger;
  /** called before each request to hub and lab; throws when the lease is over */
  readonly guard?: () => void;
  /** for each request; default 30 s */
  readonly requestTimeoutMs?: number;
  /** stopping a lab; default 2 minutes */
  readonly stopTimeoutMs?: number;
}

/** A client of the hub, with the connections that it shares with the one of the lab: those must be closed. */
export function openHub(access: LabAccess): { http: JupyterHttp; hub: HubClient } {
  const { hubUrl, username, token, guard, logger, requestTimeoutMs: timeoutMs } = access;
  const http = new JupyterHttp({ hubUrl, username, token, guard, timeoutMs });
  const hub = new HubClient(http, (error, pauseMs) =>
    logger.warn({ reason: error.message, pauseMs: Math.round(pauseMs) }, 'hub is busy, trying again'),
  );
  return { http, hub };
}
