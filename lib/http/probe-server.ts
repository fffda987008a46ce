import { createServer, type Server } from 'node:http';

/** What a worker says of itself. */
export interface WorkerState {
  /** In a word, for whoever looks. */
  state: string;
  /** Whether the process can go on. */
  live: boolean;
  /** Whether it takes jobs. */
  ready: boolean;
}

/** What Prometheus is shown. */
interface MetricsRegistry {
  readonly contentType: string;
  metrics(): Promise<string>;
}

/** A worker's /health/live and /health/ready for probes, both of which say its state, and /metrics. */
export function probeServer(stateOf: () => WorkerState, registry: MetricsRegistry): Server {
  return createServer((request, response) => {
    const { state, live, ready } = stateOf();
    const answer = (ok: boolean) => {
      response.writeHead(ok ? 200 : 503, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ state }));
    };
    if (request.url === '/health/ready') return answer(ready);
    if (request.url === '/health/live') return answer(live);
    if (request.url !== '/metrics') return void response.writeHead(404).end();
    response.setHeader('Content-Type', registry.contentType);
    void registry.metrics().then((text) => response.end(text));
  });
}
