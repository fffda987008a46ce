import { afterEach, beforeEach } from 'vitest';
import type { ConnectionTimings } from '../../workers/executor/kernel/connection-timings.ts';
import { KernelConnection } from '../../workers/executor/kernel/kernel-connection.ts';
import { openKernelSocket } from '../../workers/executor/kernel/kernel-socket.ts';
import { startFakeKernelServer, type FakeKernelServer } from './fake-kernel-server.ts';

const QUICK = { reconnectTimeoutMs: 300, reconnectPauseMs: 10, verifyTimeoutMs: 100, settleMs: 20 };
const signal = new AbortController().signal;

/** A connection to the kernel `k` of a fake server; both are new for each test of the file that makes one. */
export class ConnectionBench {
  server!: FakeKernelServer;
  connection!: KernelConnection;

  constructor() {
    beforeEach(async () => {
      this.server = await startFakeKernelServer();
    });
    afterEach(async () => {
      await this.connection.close();
      await this.server[Symbol.asyncDispose]();
    });
  }

  connect(timings: Partial<ConnectionTimings> = {}, maxMessageBytes = 2 ** 20): KernelConnection {
    this.connection = new KernelConnection(
      (clientSession) => async (handlers, signal) => {
        const channels = await this.server.host.channels('k', clientSession);
        return openKernelSocket({ ...channels, maxMessageBytes, closeTimeoutMs: 200 }, handlers, signal);
      },
      {
        replyMs: 50,
        stoppedReplyMs: 10,
        idleMs: 50,
        probeIntervalMs: 20,
        readyIntervalMs: 20,
        readyTimeoutMs: 1_000,
        ...QUICK,
        ...timings,
      },
    );
    return this.connection;
  }

  async ready(timings: Partial<ConnectionTimings> = {}): Promise<KernelConnection> {
    await this.connect(timings).ready(signal);
    return this.connection;
  }
}
