import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, buildConnector } from 'undici';
import { entriesFor, portOf, type AllowedHosts } from '../../../lib/outgoing/allowed-hosts.ts';
import { isPublicAddress } from './public-address.ts';

/** The call was not made, as it leads where nobody may send us. */
export class OutgoingRefusedError extends Error {
  override readonly name = 'OutgoingRefusedError';
}

export type Resolve = typeof dnsLookup;

const CONNECT_TIMEOUT_MS = 10_000;
const MAX_HEADER_BYTES = 16 * 1024;

const isInternalHost = (hosts: AllowedHosts, hostname: string, port: number): boolean =>
  entriesFor(hosts, hostname, port).some((host) => host.isInternal);

/**
 * Connections to public addresses only, but for the hosts that an allow-list calls internal. What is not public is not
 * even connected to, so that nobody learns what is there.
 *
 * @param resolve stands for the system's resolver
 */
export function guardedAgent(hosts: AllowedHosts, resolve: Resolve = dnsLookup): Agent {
  const options = { timeout: CONNECT_TIMEOUT_MS, allowH2: false };
  const inside = buildConnector({ ...options, lookup: resolve });
  const outside = buildConnector({ ...options, lookup: publicLookup(resolve) });
  return new Agent({
    maxHeaderSize: MAX_HEADER_BYTES,
    connect: (target, callback) => {
      const isInternal = isInternalHost(hosts, target.hostname, portOf(target));
      const connect = isInternal ? inside : outside;
      connect(target, (error, socket) => {
        if (error) return callback(error, null);
        // An address in the place of a name is not looked up: what counts in the end is where we came to.
        if (isInternal || isPublicAddress(socket.remoteAddress ?? '')) return callback(null, socket);
        socket.destroy();
        callback(notPublic(), null);
      });
    },
  });
}

/**
 * The addresses that a host may be called at, for who makes the connection by other means: at these, and no others.
 *
 * @param resolve stands for the system's resolver
 * @throws {OutgoingRefusedError}
 */
export async function allowedAddresses(
  hosts: AllowedHosts,
  hostname: string,
  port: number,
  resolve: Resolve = dnsLookup,
): Promise<string[]> {
  const isInternal = isInternalHost(hosts, hostname, port);
  const { promise, resolve: found, reject } = Promise.withResolvers<LookupAddress[]>();
  const lookup = isInternal ? resolve : publicLookup(resolve);
  lookup(hostname, { all: true }, (error: Error | null, addresses: string | LookupAddress[]) => {
    if (error) reject(error);
    else found(addresses as LookupAddress[]);
  });
  return (await promise).map(({ address }) => address);
}

const notPublic = (): OutgoingRefusedError => new OutgoingRefusedError('The host has no public address');

/** Finds only those of a host's addresses that are public. What is found is connected to: nothing is looked up twice. */
function publicLookup(resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '');
      const addresses = found.filter(({ address }) => isPublicAddress(address));
      const [first] = addresses;
      if (!first) return callback(notPublic(), '');
      if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
