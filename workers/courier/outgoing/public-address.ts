import ipaddr from 'ipaddr.js';

/** What IANA gives out of IPv6; whatever else translates, tunnels or stays local lies outside. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/** Azure's WireServer, which tells virtual machines their settings, at an address of the public range. */
const WIRE_SERVER = '168.63.129.16';

/**
 * Whether an address is one of the public Internet: not private, loopback, link-local (which clouds serve their
 * metadata at, Azure also elsewhere), shared, multicast, reserved or for documentation, nor an IPv6 address that stands for an IPv4 one.
 *
 * @param address as a socket names its peer
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast' || parsed.toString() === WIRE_SERVER) return false;
  return parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_UNICAST);
}
