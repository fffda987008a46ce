import { connect } from 'node:net';

const LIMIT_MS = 15_000;

/** What came back over a connection until it was closed, or until the limit, which is a hang. */
export interface RawAnswer {
  /** undefined when the connection was closed without an answer */
  status: number | undefined;
  text: string;
  hung: boolean;
}

/** Sends bytes as they are, as no HTTP client would, and reads to the end. */
export function sendRaw(url: string, bytes: Buffer): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<RawAnswer>();
  const socket = connect({ host: hostname, port: Number(port) });
  const chunks: Buffer[] = [];
  const done = (hung: boolean) => {
    clearTimeout(timer);
    socket.destroy();
    const text = Buffer.concat(chunks).toString('latin1');
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
    resolve({ status: status === undefined ? undefined : Number(status), text, hung });
  };
  const timer = setTimeout(() => done(true), LIMIT_MS);
  // Half of it is closed at once, so that nothing waits for what will not come.
  socket.on('connect', () => socket.end(bytes));
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
  socket.on('error', () => done(false));
  socket.on('close', () => done(false));
  return promise;
}

/** A request's bytes; what is in the headers is sent as it is. */
export function requestBytes(
  method: string,
  target: string,
  headers: [string, string][],
  body: Buffer,
): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, 'latin1'), body]);
}
