import { connect } from 'node:net';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ManagedProcess } from '../process/managed-process.ts';
import type { RedisServer } from '../setup/redis-server.ts';
import type { ServiceContext } from './context.ts';

export interface Redis {
  url: string;
  process: ManagedProcess;
}

/** Starts a real Redis that keeps its data in the state folder, as production's does: append-only file, no eviction. */
export async function startRedis(
  context: ServiceContext,
  server: RedisServer,
  port: number,
  host: string,
  more: Record<string, string> = {},
): Promise<Redis> {
  // Servers of another kind or major version may not read each other's files.
  const dir = join(context.paths.redis, server.version.split('.', 1)[0]?.replace(' ', '-') ?? 'redis');
  mkdirSync(dir, { recursive: true });
  const settings = {
    bind: host,
    // Else it serves loopback only; whoever chooses another host has no strangers there.
    'protected-mode': 'no',
    port,
    dir,
    appendonly: 'yes',
    save: '',
    'maxmemory-policy': 'noeviction',
    // Its title would be written over its environment, by which leftovers are found.
    'set-proc-title': 'no',
    ...more,
  };
  const process = new ManagedProcess({
    name: 'redis',
    command: server.path,
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    env: context.env,
    logDir: context.paths.logs,
    record: context.record,
  });
  context.started(process);
  await process.waitUntil(() => pong(port, host), { timeoutMs: 30_000, signal: context.signal, everyMs: 10 });
  return { url: `redis://${host}:${port}/0`, process };
}

/** Whether the server answers PING: while it still loads its data it says LOADING. */
function pong(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => socket.write('PING\r\n'));
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.once('data', (data) => settle(data.toString().startsWith('+PONG')));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}
