import type { Server } from 'node:http';
import { probeServer } from '../../lib/http/probe-server.ts';
import { isServing, type ExecutorState } from './executor-state.ts';
import type { ExecutorMetrics } from './metrics.ts';

/** The probes: live while the process can go on, ready only while its lab is warm and takes jobs. */
export function healthServer(stateOf: () => ExecutorState, { registry }: ExecutorMetrics): Server {
  return probeServer(() => {
    const state = stateOf();
    return { state, live: state !== 'evicted', ready: isServing(state) };
  }, registry);
}
