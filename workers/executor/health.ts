import { createServer, type Server } from 'node:http';
import { isServing, type ExecutorState } from './executor-state.ts';
import type { ExecutorMetrics } from './metrics.ts';

/**
 * The probes: /health/live while the process can go on, /health/ready only while its lab is warm and takes jobs; both
 * say the state, for whoever looks. And /metrics, for Prometheus.
 */
export function healthServer(state: () => ExecutorState, { registry }: ExecutorMetrics): Server {
  return createServer((request, response) => {
    const now = state();
    const answer = (ok: boolean) => {
      response.writeHead(ok ? 200 : 503, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ state: now }));
    };
    if (request.url === '/health/ready') return answer(isServing(now));
    if (request.url === '/health/live') return answer(now !== 'evicted');
    if (request.url !== '/metrics') return void response.writeHead(404).end();
    response.setHeader('Content-Type', registry.contentType);
    void registry.metrics().then((text) => response.end(text));
  });
}
