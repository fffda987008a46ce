import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../../lib/logger.ts';
import { SpawnFailedError } from './errors.ts';
import { HubClient } from './hub-client.ts';
import { JupyterHttp } from './jupyter-http.ts';
import { LabApi } from './lab-api.ts';
import { describeImage, type LabImage, type LabSize } from './lab-image.ts';
import { Lab, type LabSession } from './lab.ts';
import { RubinExecution } from './rubin-execution.ts';

/** Until a spawn that was asked for is seen in the user model. */
const SPAWN_SHOWS_MS = 500;

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

export interface StartLabOptions extends LabAccess {
  readonly image: LabImage;
  readonly size: LabSize;
  readonly signal: AbortSignal;
  /** the spawn itself, image pulls included; default 10 minutes */
  readonly spawnTimeoutMs?: number;
}

/** A lab that we spawned and nobody else uses. */
export interface StartedLab {
  readonly lab: Lab;
  /** The other way to run notebooks in it: the one or the other, never both. */
  readonly rubinExecution: RubinExecution;
  readonly hub: HubClient;
  /** what was found in the new lab although nobody may use it; their paths name an epoch that is still active */
  readonly foreignSessions: readonly LabSession[];
  /** Goes on with a newer token of the same bot; running kernels notice nothing. */
  useToken(token: string): void;
  /** Stops the lab, sees it gone, closes all connections. @throws LabNotStoppedError */
  stop(signal: AbortSignal): Promise<void>;
  /** Only closes the connections: after an eviction the lab is another executor's to stop. */
  close(): Promise<void>;
}

/**
 * Makes the bot's lab: log in, stop whatever lab a predecessor left and see it gone, spawn, log in to the new lab, and
 * delete all that runs in it although we did not start it. The lease must be held from before to after.
 *
 * @throws SpawnFailedError, LabNotStoppedError, LabUnusableError or another JupyterError; nothing is left open then,
 * but a spawn already begun may go on: `stopLeftoverLab`
 */
export async function startLab(options: StartLabOptions): Promise<StartedLab> {
  const { signal, logger } = options;
  const { http, hub } = open(options);
  try {
    await hub.login(signal);
    if (await hub.stopLab(signal, options.stopTimeoutMs)) logger.warn('stopped a leftover lab');
    await spawn(hub, options);
    const api = new LabApi(http);
    const lab = await Lab.connect(api, signal);
    const { sessions, kernelIds } = await lab.removeForeign(signal);
    if (sessions.length + kernelIds.length > 0) {
      const paths = sessions.map((session) => session.path);
      logger.warn({ paths, kernels: kernelIds.length }, 'deleted kernels that are not ours');
    }
    logger.info({ lab: lab.url, labStarted: lab.started }, 'lab is ready');
    return {
      lab,
      rubinExecution: new RubinExecution(api),
      hub,
      foreignSessions: sessions,
      useToken: (newToken) => http.useToken(newToken),
      close: () => http.close(),
      async stop(stopSignal) {
        await hub.stopLab(stopSignal, options.stopTimeoutMs);
        await http.close();
        logger.info('lab is stopped');
      },
    };
  } catch (error) {
    await http.close();
    throw error;
  }
}

/** Stops the bot's lab if there is one, or one is on its way, and sees it gone. @throws LabNotStoppedError */
export async function stopLeftoverLab(access: LabAccess, signal: AbortSignal): Promise<void> {
  const { http, hub } = open(access);
  try {
    await hub.login(signal);
    if (await hub.stopLab(signal, access.stopTimeoutMs)) return;
    // The hub may still be working on a spawn whose answer we did not wait for.
    await sleep(SPAWN_SHOWS_MS, undefined, { signal });
    await hub.stopLab(signal, access.stopTimeoutMs);
  } finally {
    await http.close();
  }
}

function open(access: LabAccess): { http: JupyterHttp; hub: HubClient } {
  const { hubUrl, username, token, guard, logger, requestTimeoutMs: timeoutMs } = access;
  const http = new JupyterHttp({ hubUrl, username, token, guard, timeoutMs });
  const hub = new HubClient(http, (error, pauseMs) =>
    logger.warn({ reason: error.message, pauseMs: Math.round(pauseMs) }, 'hub is busy, trying again'),
  );
  return { http, hub };
}

async function spawn(hub: HubClient, options: StartLabOptions): Promise<void> {
  const { image, size, signal, logger, username, spawnTimeoutMs = 10 * 60_000 } = options;
  const begun = performance.now();
  logger.info({ image: describeImage(image), size }, 'spawning a lab');
  await hub.spawn(image, size, signal);
  const deadline = AbortSignal.timeout(spawnTimeoutMs);
  let last: string | undefined;
  try {
    for await (const step of hub.progress(AbortSignal.any([signal, deadline]))) {
      last = step.message || last;
      const elapsedMs = Math.round(performance.now() - begun);
      logger.info({ progress: step.progress, elapsedMs }, `spawn: ${step.message}`);
      if (step.ready) return;
      if (step.failed) break;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!deadline.aborted) throw error;
    const message = `The lab of ${username} was not ready within ${spawnTimeoutMs / 1000} s: is its image very large, or the cluster full?`;
    throw new SpawnFailedError(message, last, error);
  }
  throw new SpawnFailedError(`The hub could not spawn a lab for ${username}.`, last);
}
