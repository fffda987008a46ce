import { setTimeout as sleep } from 'node:timers/promises';
import { labState } from './hub-client.ts';
import { openHub, type LabAccess } from './lab-access.ts';
import { LabApi } from './lab-api.ts';
import { Lab } from './lab.ts';
import { highestEpoch } from './session-path.ts';

/** Until a spawn that was asked for is seen in the user model. */
const SPAWN_SHOWS_MS = 500;
/** A leftover lab is stopped in any case; what it says before is worth no more waiting than this. */
const TELL_EPOCH_MS = 5_000;

/** The highest epoch among the sessions of the lab that an earlier holder left; 0 when there is none, or it is mute. */
export async function leftoverEpoch(access: LabAccess, signal: AbortSignal): Promise<number> {
  const { http, hub } = openHub(access);
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(TELL_EPOCH_MS)]);
  try {
    await hub.login(bounded);
    if (labState(await hub.user(bounded)) !== 'ready') return 0;
    const lab = await Lab.connect(new LabApi(http), bounded);
    return highestEpoch(await lab.listSessions(bounded));
  } catch (error) {
    signal.throwIfAborted();
    access.logger.info({ err: error }, 'no epoch was read from a leftover lab');
    return 0;
  } finally {
    await http.close();
  }
}

/** Stops the bot's lab if there is one, or one is on its way, and sees it gone. @throws LabNotStoppedError */
export async function stopLeftoverLab(access: LabAccess, signal: AbortSignal): Promise<void> {
  const { http, hub } = openHub(access);
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
