import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the ports that systems give by themselves, on Linux from 32768, on others from 49152. One of those could be given
 * to somebody else between its choice and its use, or while a server that is to come back on it is away.
 */
const CHOSEN = { from: 10_240, below: 30_000 };
const TRIES = 100;

/** A loopback port that is free right now: a random one when none is asked for. Undefined when the asked one is taken. */
export async function freePort(port?: number): Promise<number | undefined> {
  if (port !== undefined) return (await isFree(port)) ? port : undefined;
  const [chosen] = await freePorts(1);
  return chosen;
}

/** Several different free loopback ports. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries > TRIES * count) throw new Error(`no port is free from ${CHOSEN.from} to ${CHOSEN.below - 1}`);
    const port = randomInt(CHOSEN.from, CHOSEN.below);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
