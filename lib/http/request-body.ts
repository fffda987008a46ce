import type { IncomingMessage } from 'node:http';
import { createGunzip, createInflate } from 'node:zlib';
import { HttpError } from './http-error.ts';

/** What a function takes of bodies. */
export interface BodyRules {
  /** Before and after inflating. */
  maxBytes: number;
  /** Whether bodies with a Content-Encoding are inflated, or refused. */
  inflates: boolean;
  /** Of all bodies together that are being read or dealt with; as many as come when absent. */
  maxBytesAtOnce?: number;
}

/** As much as Knative's and the cloud's front layers let through. */
export const MAX_BODY_BYTES = 32 * 1024 * 1024;
const BODIES: BodyRules = { maxBytes: MAX_BODY_BYTES, inflates: true };

const NO_BODY = Buffer.alloc(0);

const DECODERS = { gzip: createGunzip, 'x-gzip': createGunzip, deflate: createInflate };

/** Counts the bytes of a request among those that are held. @throws {HttpError} 503 when that is too much */
export type HoldBytes = (bytes: number) => void;

/**
 * Reads a request's whole body, inflated, within a limit on the bytes before and after inflating. The framework
 * would do it too, but takes 1 GB and inflates before any check; it leaves alone what is read already.
 *
 * @throws {HttpError} 411 for a POST that does not say where its body ends, 413 when it is too large, 415 for an
 *   encoding it cannot read, 400 when it is cut or corrupt; and what `hold` throws
 */
export async function readBody(
  request: IncomingMessage,
  { maxBytes, inflates }: BodyRules = BODIES,
  hold: HoldBytes = () => undefined,
): Promise<Buffer> {
  const { 'content-length': length, 'transfer-encoding': transfer } = request.headers;
  if (request.method === 'POST' && length === undefined && transfer === undefined) {
    throw new HttpError(411, { type: 'length_required', msg: 'The request should have a Content-Length' });
  }
  // One of no bytes is read all the same, or the framework would do so, and answer in its own way.
  if (transfer === undefined && length === undefined) return NO_BODY;
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const isTaken = encoding === 'identity' || (inflates && Object.hasOwn(DECODERS, encoding));
  if (!isTaken) throw unsupported(inflates);
  if (Number(length ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of inflated(request, encoding)) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      hold(chunk.length);
      chunks.push(chunk);
    }
  } catch (error) {
    // What is still under way is passed over, at most until the server's request timeout.
    request.resume();
    if (error instanceof HttpError) throw error;
    throw new HttpError(400, {
      type: 'body_unreadable',
      msg: 'The request body is cut off or not valid gzip',
    });
  }
  return Buffer.concat(chunks);
}

/**
 * The body's chunks. The request itself is never destroyed: a client that is still sending would find a broken
 * connection in place of the answer.
 */
async function* inflated(request: IncomingMessage, encoding: string): AsyncGenerator<Buffer> {
  const raw = request.iterator({ destroyOnReturn: false });
  if (encoding === 'identity') return yield* raw;
  const decoder = DECODERS[encoding as keyof typeof DECODERS]();
  const fail = (error: Error) => decoder.destroy(error);
  request.once('error', fail).pipe(decoder);
  try {
    yield* decoder;
  } finally {
    request.off('error', fail).unpipe(decoder);
    decoder.destroy();
  }
}

function unsupported(inflates: boolean): HttpError {
  const [named, accepted] = inflates
    ? ['gzip, deflate or identity', 'gzip, deflate']
    : ['identity', 'identity'];
  return new HttpError(
    415,
    { type: 'unsupported_encoding', msg: `Content-Encoding should be ${named}` },
    { 'Accept-Encoding': accepted },
  );
}

function tooLarge(limitBytes: number): HttpError {
  const msg = `The request body is over the limit of ${limitBytes} bytes`;
  return new HttpError(413, { type: 'body_too_large', msg });
}
