import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { KernelHost } from '../../workers/executor/kernel/kernel-host.ts';

/** A TCP proxy whose network is as bad as a test wants it to be. */
export class FaultProxy implements AsyncDisposable {
  /** Added to each chunk, in both directions. */
  delayMs = 0;
  /** New connections are reset at once. */
  refuse = false;
  /** How many connections were taken. */
  connections = 0;
  readonly #target: URL;
  readonly #pairs = new Set<Pair>();
  #partitioned = false;
  #losing: { request: string; resolve: () => void } | undefined;
  readonly #server = createServer((client) => this.#take(client));

  private constructor(target: URL) {
    this.#target = target;
  }

  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(new URL(target));
    await new Promise<void>((done) => proxy.#server.listen(0, '127.0.0.1', done));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The target's URL, through this proxy. */
  get url(): string {
    const url = new URL(this.#target);
    url.port = String(this.port);
    return url.href;
  }

  /** The host's kernels, with their websockets through this proxy. */
  in(host: KernelHost): KernelHost {
    return {
      kernelSpecs: (signal) => host.kernelSpecs(signal),
      startSession: (...args) => host.startSession(...args),
      renameSession: (...args) => host.renameSession(...args),
      deleteSession: (...args) => host.deleteSession(...args),
      interruptKernel: (...args) => host.interruptKernel(...args),
      channels: async (...args) => {
        const { url, headers } = await host.channels(...args);
        const through = new URL(url);
        // The lab compares Host and Origin.
        const Host = through.host;
        through.port = String(this.port);
        return { url: through.href, headers: { ...headers, Host } };
      },
    };
  }

  /** Resets every connection there is. */
  cut(): void {
    for (const { sockets } of this.#pairs) for (const socket of sockets) socket.resetAndDestroy();
  }

  /** From now on nothing gets through the connections there are, and nobody is told. */
  stall(): void {
    for (const pair of this.#pairs) pair.stalled = true;
  }

  /** Until `heal`, nothing gets through, on new connections neither; TCP keeps all of it meanwhile. */
  partition(): void {
    this.#partitioned = true;
    for (const { sockets } of this.#pairs) for (const socket of sockets) socket.pause();
  }

  heal(): void {
    this.#partitioned = false;
    for (const { sockets } of this.#pairs) for (const socket of sockets) socket.resume();
  }

  /**
   * Lets the next request that holds this text through, and resets its connection in place of the answer.
   *
   * @returns when that has happened
   */
  loseReplyTo(request: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#losing = { request, resolve };
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((done) => this.#server.close(done));
  }

  #take(client: Socket): void {
    this.connections++;
    if (this.refuse) return void client.resetAndDestroy();
    const server = connect(Number(this.#target.port), this.#target.hostname);
    const pair: Pair = { sockets: [client, server], stalled: false, lost: undefined };
    this.#pairs.add(pair);
    for (const [from, to] of [pair.sockets, pair.sockets.toReversed() as [Socket, Socket]]) {
      from.on('data', (chunk: Buffer) => {
        if (from === client) this.#look(chunk, pair);
        else if (pair.lost) return this.#lose(pair);
        const pass = () => void (!pair.stalled && to.writable && to.write(chunk));
        if (this.delayMs === 0) pass();
        else setTimeout(pass, this.delayMs);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        // The other end of a stalled connection hears of nothing, until all are cut.
        if (pair.stalled) return;
        this.#pairs.delete(pair);
        to.destroy();
      });
      if (this.#partitioned) from.pause();
    }
  }

  #look(chunk: Buffer, pair: Pair): void {
    if (!this.#losing || !chunk.includes(this.#losing.request)) return;
    pair.lost = this.#losing.resolve;
    this.#losing = undefined;
  }

  #lose(pair: Pair): void {
    for (const socket of pair.sockets) socket.resetAndDestroy();
    pair.lost?.();
  }
}

interface Pair {
  sockets: [client: Socket, server: Socket];
  stalled: boolean;
  /** told when the answer that is awaited here has been thrown away */
  lost: (() => void) | undefined;
}

/** A discovery service beside the platform's own, whose hub lies behind the proxy. */
export async function discoveryThrough(
  proxy: FaultProxy,
  repertoireUrl: string,
): Promise<AsyncDisposable & { url: string }> {
  const document = (await (await fetch(`${repertoireUrl}/discovery`)).json()) as {
    services: { ui: { nublado: { url: string } } };
  };
  const hub = new URL(document.services.ui.nublado.url);
  hub.port = String(proxy.port);
  document.services.ui.nublado.url = hub.href;
  const server = createHttpServer((_request, response) => void response.end(JSON.stringify(document)));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
