import { lookup as dnsLookup } from 'node:dns';
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
      const isInternal = entriesFor(hosts, target.hostname, portOf(target)).some((host) => host.isInternal);
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
