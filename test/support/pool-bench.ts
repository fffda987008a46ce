import { afterEach, beforeEach } from 'vitest';
import { KernelPool, type KernelPoolOptions } from '../../workers/executor/kernel/kernel-pool.ts';
import { startFakeKernelServer, type FakeKernelServer } from './fake-kernel-server.ts';

/** A pool of kernels of a fake server; both are new for each test of the file that makes one. */
export class PoolBench {
  server!: FakeKernelServer;
  pool!: KernelPool;

  constructor() {
    beforeEach(async () => {
      this.server = await startFakeKernelServer();
    });
    afterEach(async () => {
      await this.pool.close();
      if (this.server.sessions.size > 0) throw new Error('the pool left sessions behind');
      await this.server[Symbol.asyncDispose]();
    });
  }

  makePool(options: Partial<KernelPoolOptions> = {}): KernelPool {
    this.pool = new KernelPool({
      host: this.server.host,
      sessionPathPrefix: 'noteburst-7-',
      size: 1,
      maxKernels: 3,
      refillDelayMs: 5,
      aliveTimeoutMs: 100,
      timings: { readyIntervalMs: 20 },
      limits: { closeTimeoutMs: 100 },
      ...options,
    });
    return this.pool;
  }

  /** Culls the kernels there are as jupyter-server-documents does it: the sockets stay open, and nobody answers. */
  silence(): void {
    const sockets = [...this.server.sockets];
    const answer = this.server.onKernelInfo;
    this.server.onKernelInfo = (kernel, request) =>
      sockets.includes(kernel.socket) || answer(kernel, request);
  }
}
