import { createServer, type Server } from 'node:http';
import type { ExecutorState } from './lifecycle.ts';

/**
 * The probes: /health/live while the process can go on, /health/ready only while its lab is warm and takes jobs.
 * Both say the state, for whoever looks.
 */
export function healthServer(state: () => ExecutorState): Server {
  return createServer((request, response) => {
    const now = state();
    const ok = request.url === '/health/ready' ? now === 'ready' : now !== 'evicted';
    const known = request.url === '/health/ready' || request.url === '/health/live';
    response.writeHead(known ? (ok ? 200 : 503) : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ state: now }));
  });
}
