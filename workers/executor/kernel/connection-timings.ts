import type { WatchTimings } from './death-watch.ts';
import type { FutureGraces } from './execute-future.ts';
import type { LinkTimings } from './kernel-link.ts';

/** Every wait of a kernel connection, so that tests can shorten them. */
export interface ConnectionTimings extends FutureGraces, WatchTimings, LinkTimings {
  /** Between two kernel_info requests while waiting for the kernel to be ready. */
  readyIntervalMs: number;
  /** In all for a kernel to be ready; an `lsst` kernel runs a long set-up first. */
  readyTimeoutMs: number;
  /** For the kernel to answer on a new socket, after which another one is tried. */
  verifyTimeoutMs: number;
  /** For messages on their way when the socket is back, before they count as lost. */
  settleMs: number;
}

export const DEFAULT_TIMINGS: ConnectionTimings = {
  replyMs: 2_000,
  stoppedReplyMs: 250,
  idleMs: 10_000,
  probeIntervalMs: 500,
  silenceMs: 750,
  reconnectTimeoutMs: 30_000,
  reconnectPauseMs: 250,
  verifyTimeoutMs: 5_000,
  settleMs: 1_000,
  readyIntervalMs: 250,
  readyTimeoutMs: 90_000,
};
