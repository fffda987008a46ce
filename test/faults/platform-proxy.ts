import { discoveryThrough, FaultProxy } from '../support/fault-proxy.ts';
import type { StackPlatform } from '../support/stack.ts';

/** The network between executors and the platform: hub, labs with their websockets, Gafaelfawr. */
export class PlatformProxy implements AsyncDisposable {
  readonly network: FaultProxy;
  /** What an executor needs in its environment to be behind it. */
  readonly env: Readonly<Record<string, string>>;
  readonly #discovery: AsyncDisposable;

  private constructor(
    network: FaultProxy,
    discovery: AsyncDisposable & { url: string },
    gafaelfawrUrl: string,
  ) {
    this.network = network;
    this.#discovery = discovery;
    const gafaelfawr = new URL(gafaelfawrUrl);
    gafaelfawr.port = String(network.port);
    this.env = { REPERTOIRE_BASE_URL: discovery.url, NOTEBURST_GAFAELFAWR_URL: gafaelfawr.href };
  }

  static async start(
    platform: Pick<StackPlatform, 'originUrl' | 'repertoireUrl' | 'gafaelfawrUrl'>,
  ): Promise<PlatformProxy> {
    const network = await FaultProxy.start(platform.originUrl);
    const discovery = await discoveryThrough(network, platform.repertoireUrl);
    return new PlatformProxy(network, discovery, platform.gafaelfawrUrl);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#discovery[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
  }
}
