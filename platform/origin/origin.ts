import { Agent, createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createProxyServer } from 'http-proxy-3';
import { authenticate, passedHeaders } from './authenticate.ts';
import { discoveryDocument } from './discovery.ts';
import { API_PATH, handleGafaelfawr } from './gafaelfawr.ts';
import { ApiError, detailOf, sendJson } from './respond.ts';
import { serialize, type TokenStore } from './token-store.ts';

/** What stands behind the origin. */
export interface Upstream {
  /** Its base URL. */
  url: string;
  /** The host that requests are said to be for, where it is not the origin's own. */
  vhost?: string;
}

/** One that is not there is answered with 503. */
export type Upstreams = Partial<Record<'hub' | 'submit' | 'status', Upstream>>;

export interface Origin {
  url: string;
  port: number;
  close(): Promise<void>;
}

const SCOPE = 'exec:notebook';
const SUBMIT_PATH = /^\/noteburst\/v1\/notebooks\/?$/;
const within = (path: string, prefix: string): boolean => path === prefix || path.startsWith(`${prefix}/`);

/** Which upstream a path belongs to: the table that the real ingress has as manifests. */
export function upstreamOf(path: string): keyof Upstreams | undefined {
  if (SUBMIT_PATH.test(path)) return 'submit';
  if (within(path, '/noteburst')) return 'status';
  return within(path, '/nb') ? 'hub' : undefined;
}

/** Starts the one address that plays the RSP's ingress, with Gafaelfawr and Repertoire behind it. */
export async function startOrigin(
  store: TokenStore,
  upstreams: Upstreams,
  { port = 0, host = '127.0.0.1' } = {},
): Promise<Origin> {
  // Node's agents and the server below switch Nagle off: with it each message of a kernel could wait 40 ms for an
  // acknowledgement.
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const proxy = createProxyServer({ agent, xfwd: true, changeOrigin: false });
  proxy.on('error', (_error, _req, res) => {
    // `res` is the bare socket for a websocket.
    if (res instanceof Socket) res.destroy();
    else
      sendJson(res, 502, {
        detail: detailOf('bad_gateway', 'The service behind did not answer'),
      });
  });
  proxy.on('econnreset', () => {});

  /** Checks the caller, rewrites the headers, and answers where the request goes. */
  const admit = (req: IncomingMessage, path: string) => {
    const name = upstreamOf(path);
    if (name === undefined) throw new ApiError(404, 'Not Found');
    const caller = authenticate(store, req.headers, SCOPE);
    const upstream = upstreams[name];
    if (upstream === undefined) {
      throw new ApiError(503, detailOf('unavailable', `There is no ${name} here`), { 'retry-after': '1' });
    }
    const delegated = store.delegate(
      caller,
      name === 'hub' ? { type: 'notebook' } : { type: 'internal', service: 'noteburst', scopes: [SCOPE] },
    );
    passedHeaders(req.headers, caller, serialize(delegated));
    if (upstream.vhost !== undefined) req.headers.host = upstream.vhost;
    return upstream.url;
  };

  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const path = pathOf(req);
    if (within(path, API_PATH)) return handleGafaelfawr(store, req, res, path);
    if (path === '/repertoire/discovery') return sendJson(res, 200, discoveryDocument(url));
    proxy.web(req, res, { target: admit(req, path) });
  };

  const server = createServer({ noDelay: true, keepAliveTimeout: 65_000 }, (req, res) => {
    handle(req, res).catch((error: unknown) => refuse(res, error));
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    try {
      // Not by the agent: where an upgrade is refused its connection is closed, and another request would meet it.
      proxy.ws(req, socket, head, { target: admit(req, pathOf(req)), agent: false });
    } catch (error) {
      refuseUpgrade(socket, error);
    }
  });
  const url = `http://${host}:${await listen(server, port, host)}`;
  return { url, port: Number(new URL(url).port), close: () => close(server, sockets, agent) };
}

const pathOf = (req: IncomingMessage): string => (req.url ?? '/').split('?', 1)[0] ?? '/';

const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError(500, 'Internal Server Error');

function refuse(res: ServerResponse, error: unknown): void {
  const { status, detail, headers } = asApiError(error);
  sendJson(res, status, { detail }, headers);
}

function refuseUpgrade(socket: Duplex, error: unknown): void {
  const { status, detail, headers } = asApiError(error);
  const body = JSON.stringify({ detail });
  const all = {
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join('')}\r\n${body}`);
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

function close(server: Server, sockets: ReadonlySet<Socket>, agent: Agent): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // Not closeAllConnections: it knows nothing of the websockets, and each of them keeps the server from closing.
    for (const socket of sockets) socket.destroy();
    agent.destroy();
  });
}
