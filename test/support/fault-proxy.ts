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
  readonly #pairs = new Set<{ sockets: [Socket, Socket]; stalled: boolean }>();
  readonly #server = createServer((client) => this.#take(client));

  private constructor(target: URL) {
    this.#target = target;
  }

  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(new URL(target));
    await new Promise<void>((done) => proxy.#server.listen(0, '127.0.0.1', done));
    return proxy;
  }

  /** The host's kernels, with their websockets through this proxy. */
  in(host: KernelHost): KernelHost {
    const { port } = this.#server.address() as AddressInfo;
    return {
      kernelSpecs: (signal) => host.kernelSpecs(signal),
      startSession: (...args) => host.startSession(...args),
      deleteSession: (...args) => host.deleteSession(...args),
      interruptKernel: (...args) => host.interruptKernel(...args),
      channels: async (...args) => {
        const { url, headers } = await host.channels(...args);
        const through = new URL(url);
        // The lab compares Host and Origin.
        const Host = through.host;
        through.port = String(port);
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((done) => this.#server.close(done));
  }

  #take(client: Socket): void {
    this.connections++;
    if (this.refuse) return void client.resetAndDestroy();
    const server = connect(Number(this.#target.port), this.#target.hostname);
    const pair = { sockets: [client, server] as [Socket, Socket], stalled: false };
    this.#pairs.add(pair);
    for (const [from, to] of [pair.sockets, pair.sockets.toReversed() as [Socket, Socket]]) {
      from.on('data', (chunk) => {
        const pass = () => void (!pair.stalled && to.writable && to.write(chunk));
        if (this.delayMs === 0) pass();
        else setTimeout(pass, this.delayMs);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#pairs.delete(pair);
        if (!pair.stalled) to.destroy();
      });
    }
  }
}
