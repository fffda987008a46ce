import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { http as registerFunction, type Request } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import type { Logger } from '../logger.ts';
import { errorReply } from './error-reply.ts';
import type { ApiHandler, ApiReply, ReadyCheck } from './handler.ts';
import { HttpError, unavailable } from './http-error.ts';
import { runWithoutDomains } from './no-domains.ts';
import { readBody, type BodyRules, type HoldBytes } from './request-body.ts';
import { send, sendStream } from './send.ts';

/** How long slow clients keep a place from others. */
export const TIMEOUTS = {
  /** Until a request's headers have come. */
  headersMs: 10_000,
  /** Until its body has, too. */
  requestMs: 60_000,
  /** Between two looks at who is over those. */
  checkMs: 5_000,
  /** Without anything of an answer being taken. */
  stalledMs: 30_000,
};

// Longer than proxies in front keep theirs, so that they never send into a connection that closes.
const KEEP_ALIVE_MS = 75_000;

/**
 * Makes the HTTP server of a function: the functions framework runs the handler, and what stands in front of it
 * answers the probes and reads bodies within limits.
 *
 * The framework's command line listens on every interface, so its server is taken from its API instead.
 */
export function functionServer(
  name: string,
  handler: ApiHandler,
  ready: ReadyCheck,
  log: Logger,
  timeouts = TIMEOUTS,
  bodies?: BodyRules,
): Server {
  const { stalledMs } = timeouts;
  runWithoutDomains();
  registerFunction(name, async (request, response) => {
    const { stream, ...reply } = await answer(handler, request, response, log);
    if (stream === undefined) send(response, reply, stalledMs);
    else await sendStream(request, response, { ...reply, stream }, stalledMs, log);
  });
  const framework = getTestServer(name);
  let heldBytes = 0;
  /** Until the request has been answered, or its caller has gone. */
  const holderOf = (response: ServerResponse): HoldBytes => {
    let ownBytes = 0;
    response.once('close', () => (heldBytes -= ownBytes));
    return (bytes) => {
      ownBytes += bytes;
      heldBytes += bytes;
      if (heldBytes > (bodies?.maxBytesAtOnce ?? Infinity))
        throw unavailable('Too much is being received at once, please try again');
    };
  };
  return createServer(
    {
      headersTimeout: timeouts.headersMs,
      requestTimeout: timeouts.requestMs,
      connectionsCheckingInterval: timeouts.checkMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      void atFront(request, ready, bodies, holderOf(response))
        .catch((error: unknown) => errorReply(error, request, pathOf(request), log))
        .then((reply) => {
          if (reply) send(response, reply, stalledMs);
          else framework.emit('request', request, response);
        });
    },
  );
}

/** Answers the probes and what the framework is not to see; undefined for the rest, whose body has been read then. */
async function atFront(
  request: IncomingMessage & { rawBody?: Buffer },
  ready: ReadyCheck,
  bodies: BodyRules | undefined,
  hold: HoldBytes,
): Promise<ApiReply | undefined> {
  if (request.url === '/health/live') return { status: 200, json: { status: 'ok' } };
  if (request.url === '/health/ready') {
    const ok = await ready();
    return { status: ok ? 200 : 503, json: { status: ok ? 'ok' : 'unavailable' } };
  }
  if (!isDecodable(pathOf(request))) throw new HttpError(404, { type: 'not_found', msg: 'Not Found' });
  // The framework's parsers pass over a body that has been read.
  request.rawBody = await readBody(request, bodies, hold);
  return undefined;
}

const pathOf = ({ url = '' }: IncomingMessage): string => url.split('?', 1)[0] ?? '';

/** The framework's router answers a path that it cannot decode with a page, and prints it with a stack. */
function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return path.startsWith('/');
  } catch {
    return false;
  }
}

/** Made once: an error's stack costs more than the rest of a short request's abort. */
const GONE = new Error('The caller has gone');

async function answer(
  handler: ApiHandler,
  request: Request,
  response: ServerResponse,
  log: Logger,
): Promise<ApiReply> {
  const gone = new AbortController();
  response.once('close', () => gone.abort(GONE));
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
    return errorReply(error, request, path, log);
  }
}
