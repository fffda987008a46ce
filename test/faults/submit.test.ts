import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { ipynb } from '../support/notebooks.ts';
import { quick } from './notebooks.ts';
import { faultMatrix, type Cell } from './matrix.ts';
import { elapsed, onlyEnd } from './steps.ts';
import type { World } from './world.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const MEGABYTE = 2 ** 20;

/** What must be refused, and with what. */
const refused = (what: string, statuses: number[], init: () => RequestInit, small = false): Cell => ({
  fault: what,
  at: 'submit',
  promised: '4xx within limits; no crash; the next one is served',
  small,
  async run(world: World) {
    const { pid } = world.stack.function('submit');
    const response = await world.stack.fetch('submit', '/v1/notebooks/', { method: 'POST', ...init() });
    expect(statuses).toContain(response.status);
    await response.body?.cancel();
    await world.executor();
    await world.healthy();
    await world.ledger.submit(quick());
    expect(await onlyEnd(world)).toMatchObject({ success: true });
    expect(world.stack.function('submit')).toMatchObject({ pid, end: undefined });
    return undefined;
  },
});

const body = (value: unknown, headers = {}): RequestInit => ({
  headers: { ...JSON_TYPE, ...headers },
  body: typeof value === 'string' ? value : JSON.stringify(value),
});

const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;

/** A function is away or stuck for a while; who asks meanwhile is not promised anything that could be lost. */
const ofFunction = (
  fault: string,
  name: 'submit' | 'status',
  hurt: (world: World) => Promise<void>,
  heal: (world: World) => Promise<void>,
): Cell => ({
  fault,
  at: name,
  promised: 'what was accepted ends once; the next one is served',
  async run(world: World) {
    await world.executor();
    await world.healthy();
    await world.ledger.submit(quick());
    const during = world.ledger.submit(quick());
    await hurt(world);
    const hurtAt = performance.now();
    await sleep(1_000);
    await heal(world);
    await during;
    expect(await world.ledger.submit(quick())).toBeDefined();
    for (const { end } of await world.ledger.settled(15_000)) {
      expect(end?.job).toMatchObject({ success: true, attempts: 1 });
    }
    return elapsed(hurtAt);
  },
});

const kill = (name: 'submit' | 'status') => async (world: World) => {
  world.stack.function(name).kill('SIGKILL');
  await world.stack.function(name).exited;
};
const signal = (name: 'submit' | 'status', which: NodeJS.Signals) => async (world: World) =>
  world.stack.function(name).kill(which);

const slowClients: Cell = {
  fault: '100 slow clients',
  at: 'submit',
  promised: 'others are served at once',
  small: true,
  async run(world: World) {
    const { port } = new URL(world.stack.url('submit'));
    const sockets = Array.from({ length: 100 }, () => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write('POST /noteburst/v1/notebooks/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n');
      socket.write('Content-Type: application/json\r\n\r\n{');
      return socket;
    });
    try {
      await world.executor();
      await world.healthy();
      const begunAt = performance.now();
      await world.ledger.submit(quick());
      expect(await onlyEnd(world, 3_000)).toMatchObject({ success: true });
      return elapsed(begunAt);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  },
};

faultMatrix([
  refused('malformed JSON', [422], () => body('{"ipynb": '), true),
  refused('malformed notebook', [422], () => body({ ipynb: '{"cells": 7}' })),
  refused('notebook nested 100,000 deep', [422], () => body(`{"ipynb": ${deep(100_000)}}`), true),
  refused('notebook nested 100,000 deep in a string', [422], () => body({ ipynb: deep(100_000) })),
  refused('huge notebook', [413], () =>
    body({ ipynb: ipynb({ metadata: { padding: 'x'.repeat(64 * MEGABYTE) } }) }),
  ),
  refused(
    'gzip bomb',
    [413, 415],
    () => ({
      headers: { ...JSON_TYPE, 'Content-Encoding': 'gzip' },
      body: new Uint8Array(gzipSync(Buffer.alloc(256 * MEGABYTE, ' '))),
    }),
    true,
  ),
  slowClients,
  ofFunction('kill -9 function', 'submit', kill('submit'), (world) => world.stack.startFunction('submit')),
  ofFunction('kill -9 function', 'status', kill('status'), (world) => world.stack.startFunction('status')),
  ofFunction('SIGSTOP function', 'submit', signal('submit', 'SIGSTOP'), signal('submit', 'SIGCONT')),
  ofFunction('SIGSTOP function', 'status', signal('status', 'SIGSTOP'), signal('status', 'SIGCONT')),
]);
