/** "Outgoing" of the security design: which addresses nobody can send the service to. */
import type { LookupAddress } from 'node:dns';
import { afterEach, expect, test } from 'vitest';
import { allowedHost } from '../../../lib/outgoing/allowed-hosts.ts';
import { OutgoingRefusedError, type Resolve } from '../../../workers/courier/outgoing/guarded-agent.ts';
import { Outgoing } from '../../../workers/courier/outgoing/outgoing.ts';
import { isPublicAddress } from '../../../workers/courier/outgoing/public-address.ts';

const PUBLIC = [
  '8.8.8.8',
  '168.63.129.17',
  '198.17.255.255',
  '172.32.0.1',
  '2606:4700::1111',
  '2a00:1450:4001::200e',
];

const INSIDE: Record<string, string[]> = {
  'v4: private': ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
  'v4: loopback, this host': ['127.0.0.1', '127.255.255.254', '0.0.0.0', '0.1.2.3'],
  "v4: link-local, where clouds have their metadata, and a provider's": ['169.254.169.254', '100.64.0.1'],
  "v4: Azure's WireServer": ['168.63.129.16'],
  'v4: of nobody': ['192.0.2.1', '198.18.0.1', '203.0.113.9', '240.0.0.1', '255.255.255.255', '224.0.0.1'],
  'v6: loopback, unspecified, link-local, with a zone': ['::1', '::', 'fe80::1', 'fe80::1%eth0'],
  'v6: private, site-local, multicast, documentation': ['fd00::1', 'fec0::1', 'ff02::1', '2001:db8::1'],
  '::ffff: mapped, in either form': [
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:10.0.0.1',
    '::ffff:a9fe:a9fe',
    '::ffff:8.8.8.8',
  ],
  'v6: not given out to anybody': ['4000::1', '1000::1'],
  NAT64: ['64:ff9b::7f00:1', '64:ff9b::169.254.169.254', '64:ff9b:1::a00:1'],
  'other ways to write v4 in v6': ['::127.0.0.1', '2002:7f00:1::', '2001:0:7f00:1::', '::ffff:0:7f00:1'],
  'decimal, octal and hexadecimal forms': ['2130706433', '0177.0.0.1', '0x7f.0.0.1', '0x7f000001', '127.1'],
  'no address': ['', 'localhost', '127.0.0.1.example.org'],
};

test.each(PUBLIC)('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test.each(Object.entries(INSIDE))('%s is not', (_, addresses) => {
  expect(addresses.filter(isPublicAddress)).toEqual([]);
});

let outgoing: Outgoing | undefined;
afterEach(() => outgoing?.close());

/** Posts with a resolver that answers these addresses. */
async function post(url: string, addresses: string[], list = '*'): Promise<unknown> {
  const found = addresses.map((address): LookupAddress => ({
    address,
    family: address.includes(':') ? 6 : 4,
  }));
  const resolve = ((
    _host: string,
    _options: object,
    callback: (error: null, found: LookupAddress[]) => void,
  ) => callback(null, found)) as unknown as Resolve;
  const entry = allowedHost(list);
  outgoing = new Outgoing(entry ? [entry] : [], resolve);
  const message = { headers: {}, body: '{}', signal: AbortSignal.timeout(5_000) };
  return outgoing.post(url, message).catch((error: unknown) => error);
}

const NOT_PUBLIC = new OutgoingRefusedError('The host has no public address');
const NOT_ALLOWED = new OutgoingRefusedError('The service does not call this host any more');

test.each(
  Object.entries(INSIDE)
    .slice(0, -2)
    .flatMap(([, addresses]) => addresses),
)('a host at %s is not connected to', async (address) => {
  expect(await post('https://hooks.example.org/', [address])).toEqual(NOT_PUBLIC);
});

test('nor one that has several such addresses, nor localhost by its name', async () => {
  expect(await post('https://hooks.example.org/', ['10.0.0.1', '::1', '127.0.0.1'])).toEqual(NOT_PUBLIC);
  expect(await post('https://localhost/', ['127.0.0.1', '::1'])).toEqual(NOT_PUBLIC);
});

test.each([
  ['IP literals', 'https://8.8.8.8/'],
  ['IP literals of v6', 'https://[2606:4700::1111]/'],
  ['IP literals of v6 that are mapped', 'https://[::ffff:127.0.0.1]/'],
  ['decimal form', 'https://2130706433/'],
  ['octal form', 'https://0177.0.0.1/'],
  ['hexadecimal form', 'https://0x7f000001/'],
  ['short form', 'https://127.1/'],
  ['full-width digits', 'https://１２７.０.０.１/'],
  ['ports', 'https://hooks.example.org:22/'],
  ['http', 'http://hooks.example.org/'],
  ['userinfo that looks like a host', 'https://hooks.example.org:443@127.0.0.1/'],
])('%s: %s is refused before anything is looked up', async (_, url) => {
  expect(await post(url, ['8.8.8.8'])).toEqual(NOT_ALLOWED);
});

test('a host that is off the list is refused, though it was on it when it was asked for', async () => {
  expect(await post('https://elsewhere.example.org/', ['8.8.8.8'], 'hooks.example.org')).toEqual(NOT_ALLOWED);
});
