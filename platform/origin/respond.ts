import type { IncomingMessage, ServerResponse } from 'node:http';

/** An error as FastAPI words it, with its status. */
export class ApiError extends Error {
  readonly status: number;
  readonly detail: unknown;
  readonly headers: Record<string, string>;

  constructor(status: number, detail: unknown, headers: Record<string, string> = {}) {
    super(JSON.stringify(detail));
    this.status = status;
    this.detail = detail;
    this.headers = headers;
  }
}

/** One entry of FastAPI's list of errors. */
export const detailOf = (type: string, msg: string, loc?: readonly (string | number)[]): unknown[] => [
  { type, msg, ...(loc && { loc }) },
];

export function sendJson(
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  if (res.headersSent) return void res.destroy();
  const bytes = Buffer.from(JSON.stringify(body));
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': bytes.length,
    'cache-control': 'no-cache, no-store',
    ...headers,
  });
  res.end(bytes);
}

const LARGEST_BODY = 1024 * 1024;

/** The JSON body of a request to the platform's own API, all of whose bodies are small. */
export async function readJsonBody(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > LARGEST_BODY) throw new ApiError(413, detailOf('too_large', 'Body is too large'));
    chunks.push(bytes);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new ApiError(422, detailOf('json_invalid', 'JSON decode error', ['body', 0]));
  }
}
