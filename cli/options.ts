import type { Options } from 'yargs';
import { NoteburstClient } from '../client/client.ts';
import { readCredentials } from './credentials.ts';
import { UsageError } from './exit-code.ts';
import { VERSION } from './version.ts';

export const connectionOptions = {
  'base-url': {
    type: 'string',
    describe: 'Where the service is, such as https://data.example.org/noteburst',
    group: 'Service:',
  },
  token: {
    type: 'string',
    describe:
      'A token with the scope exec:notebook; better in NOTEBURST_TOKEN, as others may see your commands',
    group: 'Service:',
  },
} as const satisfies Record<string, Options>;

export interface ConnectionArguments {
  'base-url'?: string | undefined;
  token?: string | undefined;
}

/** What may be set by `NOTEBURST_<NAME>`, beside the connection: the options that say how notebooks are run. */
export const SETTABLE = ['kernel', 'image', 'size', 'timeout', 'cell-timeout', 'priority', 'jobs'] as const;

/** Those of the options that the environment sets; an empty variable sets nothing. */
export function fromEnvironment(env: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = env[`NOTEBURST_${name.toUpperCase().replaceAll('-', '_')}`];
      return value ? [[name, value]] : [];
    }),
  );
}

/** The service and token that were given, else those of an earlier `noteburst login`. */
export function connect(args: ConnectionArguments): NoteburstClient {
  const { baseUrl, token } = address(args);
  return new NoteburstClient({ baseUrl, token, userAgent: `noteburst-cli/${VERSION}` });
}

/** @throws {UsageError} when it is not known which, or whose token is to be used */
export function address(args: ConnectionArguments): { baseUrl: string; token: string } {
  const saved = readCredentials();
  const given = args['base-url'] ?? saved?.base_url;
  if (!given) {
    throw new UsageError(
      'Which service? Set NOTEBURST_BASE_URL, give --base-url, or log in: noteburst login',
    );
  }
  const baseUrl = serviceAddress(given);
  // The saved token is for the saved service only.
  const token = args.token ?? (saved && normalised(saved.base_url) === baseUrl ? saved.token : undefined);
  if (!token) throw new UsageError('There is no token. Set NOTEBURST_TOKEN, or log in: noteburst login');
  return { baseUrl, token };
}

/**
 * The address of a service as it is kept and compared.
 *
 * @throws {UsageError} when it is none
 */
export function serviceAddress(given: string): string {
  const address = normalised(given);
  if (address !== undefined) return address;
  throw new UsageError(`${given} is no address of a service, such as https://data.example.org/noteburst`);
}

/** One text for one address; undefined for what is none. */
function normalised(address: string): string | undefined {
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return undefined;
  return new URL(address).href.replace(/\/+$/, '');
}
