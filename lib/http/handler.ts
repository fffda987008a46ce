/** What a function sees of a request, and what it answers: plain values, so that it can be tested without a server. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Logger } from '../logger.ts';

export interface ApiRequest {
  method: string;
  /** The path without the query, as the caller sent it. */
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Aborted when the caller has gone. */
  signal: AbortSignal;
  log: Logger;
}

export interface ApiReply {
  status: number;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is, with its media type. */
  body?: { type: string; content: string | Buffer };
  /** Sent piece by piece, as fast as the caller takes them, until it ends or the caller has gone. */
  stream?: AsyncIterable<string>;
}

export type ApiHandler = (request: ApiRequest) => Promise<ApiReply>;

/** Whether the process can do its work now; asked by the readiness probe. */
export type ReadyCheck = () => Promise<boolean>;
