import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { run } from '../../platform/process/run.ts';
import { pythonOf } from '../../platform/setup/venv.ts';
import { DEFAULT_STATE_DIR } from '../../platform/state.ts';

/** By a library of JupyterHub's; for a name, not for an address. */
const MAKE_CERTIFICATES = `
import sys
from certipy import Certipy
made = Certipy(store_dir=sys.argv[1])
for name in ("ca", "other"):
    made.create_ca(name)
made.create_signed_pair("server", "ca", alt_names=["DNS:" + sys.argv[2]])`;

/** Certificates of a private CA, of this run alone. */
export class PrivateCa implements Disposable {
  readonly #dir = mkdtempSync(join(tmpdir(), 'noteburst-ca-'));

  /** What its server goes by. */
  readonly name: string;
  /** Where its server listens. */
  readonly address: string;

  private constructor(name: string, address: string) {
    this.name = name;
    this.address = address;
  }

  static async make(name = 'localhost', address = '127.0.0.1'): Promise<PrivateCa> {
    const ca = new PrivateCa(name, address);
    await run(pythonOf(join(DEFAULT_STATE_DIR, 'venv', 'std6')), ['-c', MAKE_CERTIFICATES, ca.#dir, name], {
      timeoutMs: 30_000,
    });
    return ca;
  }

  /** The CA's certificate. */
  readonly path = join(this.#dir, 'ca', 'ca.crt');
  /** Of another, which has signed nothing. */
  readonly otherPath = join(this.#dir, 'other', 'other.crt');

  /** What a TLS server is made with. */
  get server(): { key: string; cert: string } {
    const read = (ending: string) => readFileSync(join(this.#dir, 'server', `server.${ending}`), 'utf8');
    return { key: read('key'), cert: read('crt') };
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** TLS in front of a server that has none, as the Redis of the tests may have been built without. */
export async function tlsProxy(
  target: string,
  certificate: { key: string; cert: string },
): Promise<AsyncDisposable & { port: number }> {
  const { hostname, port } = new URL(target);
  const server = createServer(certificate, (client) => {
    const plain = connect(Number(port), hostname);
    client.pipe(plain).pipe(client);
    client.on('error', () => plain.destroy());
    plain.on('error', () => client.destroy());
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}
