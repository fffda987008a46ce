import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';

/** A connection for what no HTTP client would send. */
export async function connectTo({ url }: { url: string }): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** Sends lines as they are. @returns all that comes back until the server closes */
export async function sendRaw(server: { url: string }, ...lines: string[]): Promise<string> {
  const socket = await connectTo(server);
  socket.write(lines.join('\r\n'));
  return text(socket);
}
