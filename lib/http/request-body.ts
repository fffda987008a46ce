import type { IncomingMessage } from 'node:http';
import { createGunzip, createInflate } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import { HttpError } from './http-error.ts';

/** As much as Knative's and the cloud's front layers let through. */
export const MAX_BODY_BYTES = 32 * 1024 * 1024;

const DECODERS = { gzip: createGunzip, 'x-gzip': createGunzip, deflate: createInflate };

/**
 * Reads a request's whole body, inflated, within a limit on the bytes before and after inflating. The framework
 * would do it too, but takes 1 GB and inflates before any check; it leaves alone what is read already.
 *
 * @throws {HttpError} 413 when it is too large, 415 for an encoding it cannot read, 400 when it is cut or corrupt
 */
export async function readBody(
  request: IncomingMessage,
  limitBytes: number = MAX_BODY_BYTES,
): Promise<Buffer> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && !Object.hasOwn(DECODERS, encoding)) {
    throw new HttpError(
      415,
      { type: 'unsupported_encoding', msg: 'Content-Encoding should be gzip, deflate or identity' },
      { 'Accept-Encoding': 'gzip, deflate' },
    );
  }
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes);
  const chunks: Buffer[] = [];
  const collect = async (source: AsyncIterable<Buffer>) => {
    let bytes = 0;
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > limitBytes) throw tooLarge(limitBytes);
      chunks.push(chunk);
    }
  };
  try {
    if (encoding === 'identity') await pipeline(request, collect);
    else await pipeline(request, DECODERS[encoding as keyof typeof DECODERS](), collect);
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw new HttpError(400, {
      type: 'body_unreadable',
      msg: 'The request body is cut off or not valid gzip',
    });
  }
  return Buffer.concat(chunks);
}

function tooLarge(limitBytes: number): HttpError {
  return new HttpError(
    413,
    { type: 'body_too_large', msg: `The request body is over the limit of ${limitBytes} bytes` },
    { Connection: 'close' },
  );
}
