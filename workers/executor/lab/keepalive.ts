import { setTimeout as sleep } from 'node:timers/promises';

/** How often an idle lab is touched, so that neither the hub nor the lab takes it for abandoned. */
export type KeepaliveSetting = 'fast' | 'normal' | 'hourly' | 'daily' | 'disabled';

export const KEEPALIVE_INTERVAL_MS: Readonly<Record<Exclude<KeepaliveSetting, 'disabled'>, number>> = {
  fast: 30_000,
  normal: 5 * 60_000,
  hourly: 60 * 60_000,
  daily: 24 * 60 * 60_000,
};

export interface KeepaliveOptions {
  readonly setting: KeepaliveSetting;
  /** something that the lab counts as activity; its own status page is not */
  readonly touch: (signal: AbortSignal) => Promise<unknown>;
  /** called for each touch that failed; the next one is tried all the same */
  readonly onFailure: (error: unknown) => void;
  /** ends the keepalive */
  readonly signal: AbortSignal;
  /** instead of the one of the period, for tests */
  readonly intervalMs?: number;
  /** for each touch */
  readonly timeoutMs?: number;
}

/**
 * Touches the lab again and again until the signal comes. Touches never overlap.
 *
 * @returns a promise that settles (never rejects) when it has ended
 */
export async function keepAlive(options: KeepaliveOptions): Promise<void> {
  const { setting, touch, onFailure, signal, timeoutMs = 30_000 } = options;
  if (setting === 'disabled') return;
  const intervalMs = options.intervalMs ?? KEEPALIVE_INTERVAL_MS[setting];
  while (await slept(intervalMs, signal)) {
    try {
      await touch(AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    } catch (error) {
      if (!signal.aborted) onFailure(error);
    }
  }
}

/** @returns false if the signal came first */
async function slept(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal, ref: false });
    return true;
  } catch {
    return false;
  }
}
