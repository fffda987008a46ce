import { repeat } from './repeat.ts';

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
  readonly onFailure: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Touches the lab again and again until the signal comes. @returns a promise that settles when it has ended */
export async function keepAlive({ setting, touch: call, ...rest }: KeepaliveOptions): Promise<void> {
  if (setting === 'disabled') return;
  await repeat({ everyMs: KEEPALIVE_INTERVAL_MS[setting], call, ...rest });
}
