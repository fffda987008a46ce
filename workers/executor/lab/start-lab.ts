import { crashpoint } from '../../../lib/crashpoint.ts';
import { SpawnFailedError } from './errors.ts';
import type { HubClient } from './hub-client.ts';
import { openHub, type LabAccess } from './lab-access.ts';
import { LabApi } from './lab-api.ts';
import { describeImage, type LabImage, type LabSize } from '../../../lib/contract/lab-image.ts';
import { Lab } from './lab.ts';
import { removeForeign } from './reconcile.ts';
import { RubinExecution } from './rubin-execution.ts';

export interface StartLabOptions extends LabAccess {
  readonly image: LabImage;
  readonly size: LabSize;
  /** ours: whoever has a higher one in the new lab has taken it from us */
  readonly epoch: number;
  readonly signal: AbortSignal;
  /** the spawn itself, image pulls included; default 10 minutes */
  readonly spawnTimeoutMs?: number;
}

/** A lab that we spawned and nobody else uses. */
export interface StartedLab {
  readonly lab: Lab;
  /** The other way to run notebooks in it: the one or the other, never both. */
  readonly rubinExecution: RubinExecution;
  /** Stops the lab, sees it gone, closes all connections. @throws LabNotStoppedError */
  stop(signal: AbortSignal): Promise<void>;
  /** Only closes the connections: after an eviction the lab is another executor's to stop. */
  close(): Promise<void>;
}

/**
 * Makes the bot's lab: log in, stop whatever lab a predecessor left and see it gone, spawn, log in to the new lab, and
 * delete all that runs in it although we did not start it. The lease must be held from before to after.
 *
 * @throws SpawnFailedError, LabNotStoppedError, LabUnusableError, NewerEpochError or another JupyterError; nothing is left open then,
 * but a spawn already begun may go on: `stopLeftoverLab`
 */
export async function startLab(options: StartLabOptions): Promise<StartedLab> {
  const { signal, logger } = options;
  const { http, hub } = openHub(options);
  try {
    await hub.login(signal);
    if (await hub.stopLab(signal, options.stopTimeoutMs)) logger.warn('stopped a leftover lab');
    await spawn(hub, options);
    const api = new LabApi(http);
    const lab = await Lab.connect(api, signal);
    const { sessions, kernelIds } = await removeForeign(lab, options.epoch, signal);
    if (sessions.length + kernelIds.length > 0) {
      const paths = sessions.map((session) => session.path);
      logger.warn({ paths, kernels: kernelIds.length }, 'deleted kernels that are not ours');
    }
    logger.info({ lab: lab.url, labStarted: lab.started }, 'lab is ready');
    return {
      lab,
      rubinExecution: new RubinExecution(api),
      close: () => http.close(),
      async stop(stopSignal) {
        await crashpoint('s9');
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

async function spawn(hub: HubClient, options: StartLabOptions): Promise<void> {
  const { image, size, signal, logger, username, spawnTimeoutMs = 10 * 60_000 } = options;
  const begun = performance.now();
  logger.info({ image: describeImage(image), size }, 'spawning a lab');
  await hub.spawn(image, size, signal);
  await crashpoint('s3');
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
