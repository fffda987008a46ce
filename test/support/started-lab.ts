import { randomBytes, randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { Gafaelfawr } from '../../lib/gafaelfawr.ts';
import type { KernelHost } from '../../workers/executor/kernel/kernel-host.ts';
import { LeasedKernel, type LeasedKernelOptions } from '../../workers/executor/kernel/leased-kernel.ts';
import type { KernelMessage } from '../../workers/executor/kernel/messages.ts';
import { startLab, type StartedLab } from '../../workers/executor/lab/start-lab.ts';
import { platform } from './platform.ts';

/** A hub gives a lab a minute to come up. */
export const SPAWN_MS = 100_000;

/** A lab of a bot of its own, for the tests of one file. */
export class TestLab implements AsyncDisposable {
  readonly started: StartedLab;
  readonly #kernels: LeasedKernel[] = [];

  private constructor(started: StartedLab) {
    this.started = started;
  }

  static async start(): Promise<TestLab> {
    const { hubUrl, gafaelfawrUrl, adminToken } = platform();
    const username = `bot-kernel-${randomBytes(4).toString('hex')}`;
    const expires = new Date(Date.now() + 3_600_000);
    const gafaelfawr = new Gafaelfawr(gafaelfawrUrl, adminToken);
    const token = await gafaelfawr.createServiceToken({ username, scopes: ['exec:notebook'], expires });
    const started = await startLab({
      hubUrl,
      username,
      token,
      logger: pino({ level: 'silent' }),
      image: { selector: 'recommended' },
      size: 'Small',
      epoch: 1,
      signal: AbortSignal.timeout(SPAWN_MS),
    });
    return new TestLab(started);
  }

  get lab(): StartedLab['lab'] {
    return this.started.lab;
  }

  /** A kernel that `deleteKernels` ends. */
  async kernel(options: LeasedKernelOptions = {}, host: KernelHost = this.lab): Promise<LeasedKernel> {
    const signal = AbortSignal.timeout(60_000);
    const kernel = await LeasedKernel.start(host, 'python3', `noteburst/1/${randomUUID()}`, options, signal);
    this.#kernels.push(kernel);
    return kernel;
  }

  async deleteKernels(): Promise<void> {
    const kernels = this.#kernels.splice(0);
    await Promise.all(kernels.map((kernel) => kernel.delete(AbortSignal.timeout(20_000))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.deleteKernels();
    await this.started.stop(AbortSignal.timeout(SPAWN_MS));
  }
}

/** Collects the messages of a cell. */
export class Seen {
  readonly messages: KernelMessage[] = [];
  readonly onIopub = (message: KernelMessage): void => void this.messages.push(message);

  of(type: string): KernelMessage['content'][] {
    return this.messages.filter(({ header }) => header.msg_type === type).map(({ content }) => content);
  }

  /** All that was printed to a stream. */
  text(name = 'stdout'): string {
    const streams = this.of('stream').filter((content) => content['name'] === name);
    return streams.map((content) => String(content['text'])).join('');
  }

  /** Resolves with the first text on stdout; reject it with the test's own timeout. */
  async until(text: string): Promise<void> {
    while (!this.text().includes(text)) await new Promise((done) => setTimeout(done, 10));
  }
}
