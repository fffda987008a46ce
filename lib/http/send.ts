import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../logger.ts';
import type { ApiReply } from './handler.ts';

const COMMON_HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };

/** @param stalledMs who takes nothing of the answer for so long is cut off */
export function send(response: ServerResponse, reply: ApiReply, stalledMs: number): void {
  if (response.headersSent || response.destroyed) return;
  const { type, content } = reply.body ?? {
    type: 'application/json',
    content: reply.json === undefined ? '' : JSON.stringify(reply.json),
  };
  const isBodiless = reply.status === 204 || reply.status === 304;
  response.writeHead(reply.status, {
    ...(content.length === 0 ? {} : { 'Content-Type': type }),
    ...(isBodiless ? {} : { 'Content-Length': Buffer.byteLength(content) }),
    ...COMMON_HEADERS,
    ...reply.headers,
  });
  // Without a listener for it, Node destroys the socket; what follows on a connection sets its own.
  response.setTimeout(stalledMs);
  response.end(content);
}

/** Sends a stream piece by piece, as fast as the caller takes it. @param stalledMs as of {@link send} */
export async function sendStream(
  request: IncomingMessage,
  response: ServerResponse,
  reply: ApiReply & Required<Pick<ApiReply, 'stream'>>,
  stalledMs: number,
  log: Logger,
): Promise<void> {
  if (response.destroyed) return;
  response.writeHead(reply.status, { ...COMMON_HEADERS, ...reply.headers });
  response.flushHeaders();
  if (request.method === 'HEAD') return void response.end();
  try {
    for await (const chunk of reply.stream) {
      if (response.destroyed) return;
      if (!response.write(chunk)) await taken(response, 'drain', stalledMs);
    }
    response.end();
    await taken(response, 'finish', stalledMs);
  } catch (error) {
    // The status has been sent: a cut connection is what is left to tell it with.
    log.warn({ err: error }, 'stream broken off');
    response.destroy();
  }
}

/** Waits until the caller has taken what was written, or has gone. */
async function taken(response: ServerResponse, event: 'drain' | 'finish', stalledMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => response.destroy(), stalledMs);
  response.once(event, resolve).once('close', resolve);
  if (response.destroyed) resolve();
  await promise;
  clearTimeout(timer);
  response.off(event, resolve).off('close', resolve);
}
