import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { http as registerFunction, type Request } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import type { Logger } from '../logger.ts';
import type { ApiHandler, ApiReply, ReadyCheck } from './handler.ts';
import { HttpError } from './http-error.ts';
import { readBody } from './request-body.ts';

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
// Longer than proxies in front keep theirs, so that they never send into a connection that closes.
const KEEP_ALIVE_MS = 75_000;
/** Who reads nothing of a stream for so long keeps its place from others. */
export const STALLED_MS = 30_000;

/**
 * Makes the HTTP server of a function: the functions framework runs the handler, and what stands in front of it
 * answers the probes and reads bodies within limits.
 *
 * The framework's command line listens on every interface, so its server is taken from its API instead.
 */
export function functionServer(name: string, handler: ApiHandler, ready: ReadyCheck, log: Logger): Server {
  registerFunction(name, async (request, response) => {
    const reply = await answer(handler, request, response, log);
    if (reply.stream === undefined) send(response, reply);
    else await sendStream(request, response, reply, reply.stream, log);
  });
  const framework = getTestServer(name);
  const front = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      passOn(framework, request, response, ready).catch((error: unknown) =>
        send(response, replyOf(error, log)),
      );
    },
  );
  return front;
}

async function passOn(
  framework: Server,
  request: IncomingMessage & { rawBody?: Buffer },
  response: ServerResponse,
  ready: ReadyCheck,
): Promise<void> {
  if (request.url === '/health/live') return send(response, { status: 200, json: { status: 'ok' } });
  if (request.url === '/health/ready') {
    const ok = await ready();
    return send(response, { status: ok ? 200 : 503, json: { status: ok ? 'ok' : 'unavailable' } });
  }
  if (!isDecodable(request.url)) throw new HttpError(404, { type: 'not_found', msg: 'Not Found' });
  // The framework's parsers pass over a body that has been read.
  request.rawBody = await readBody(request);
  framework.emit('request', request, response);
}

/** The framework's router answers a path that it cannot decode with a page, and prints it with a stack. */
function isDecodable(url = ''): boolean {
  try {
    decodeURIComponent(url.split('?', 1)[0] ?? '');
    return url.startsWith('/');
  } catch {
    return false;
  }
}

async function answer(handler: ApiHandler, request: Request, response: ServerResponse, log: Logger) {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const [path = '', ...query] = request.originalUrl.split('?');
  try {
    return await handler({
      method: request.method,
      path,
      query: new URLSearchParams(query.join('?')),
      headers: request.headers,
      body: request.rawBody ?? Buffer.alloc(0),
      signal: gone.signal,
      log,
    });
  } catch (error) {
    return replyOf(error, log);
  }
}

function replyOf(error: unknown, log: Logger): ApiReply {
  if (error instanceof HttpError) {
    return { status: error.status, headers: error.headers, json: { detail: error.detail } };
  }
  log.error({ err: error }, 'request failed');
  return { status: 500, json: { detail: [{ type: 'internal_error', msg: 'Internal server error' }] } };
}

async function sendStream(
  request: IncomingMessage,
  response: ServerResponse,
  reply: ApiReply,
  stream: AsyncIterable<string>,
  log: Logger,
): Promise<void> {
  if (response.destroyed) return;
  response.writeHead(reply.status, { ...COMMON_HEADERS, ...reply.headers });
  response.flushHeaders();
  if (request.method === 'HEAD') return void response.end();
  try {
    for await (const chunk of stream) {
      if (response.destroyed) return;
      if (!response.write(chunk)) await taken(response, 'drain');
    }
    response.end();
    await taken(response, 'finish');
  } catch (error) {
    // The status has been sent: a cut connection is what is left to tell it with.
    log.warn({ err: error }, 'stream broken off');
    response.destroy();
  }
}

/** Waits until the caller has taken what was written, or has gone; one who takes nothing for long is cut off. */
async function taken(response: ServerResponse, event: 'drain' | 'finish'): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => response.destroy(), STALLED_MS);
  response.once(event, resolve).once('close', resolve);
  if (response.destroyed) resolve();
  await promise;
  clearTimeout(timer);
  response.off(event, resolve).off('close', resolve);
}

const COMMON_HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };

function send(response: ServerResponse, reply: ApiReply): void {
  if (response.headersSent || response.destroyed) return;
  const body = reply.json === undefined ? '' : JSON.stringify(reply.json);
  response.writeHead(reply.status, {
    ...(body === '' ? {} : { 'Content-Type': 'application/json' }),
    ...(reply.status === 204 ? {} : { 'Content-Length': Buffer.byteLength(body) }),
    ...COMMON_HEADERS,
    ...reply.headers,
  });
  response.end(body);
}
