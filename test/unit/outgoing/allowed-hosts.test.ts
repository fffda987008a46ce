import { describe, expect, test } from 'vitest';
import { courierConfig } from '../../../workers/courier/config.ts';
import { allowedHost, isAllowedUrl } from '../../../lib/outgoing/allowed-hosts.ts';

const hostsOf = (text: string) =>
  courierConfig({
    NOTEBURST_REDIS_URL: 'redis://redis',
    NOTEBURST_ENVIRONMENT_URL: 'https://data.example.org',
    NOTEBURST_CALLBACK_ALLOWED_HOSTS: text,
  }).allowedHosts;

test('an allow-list is read with its ports and what is internal', () => {
  expect(hostsOf('*.lsst.cloud, Hooks.Example.org:8443,internal:times-square.times-square.svc, *')).toEqual([
    { name: '*.lsst.cloud', port: 443, isInternal: false },
    { name: 'hooks.example.org', port: 8443, isInternal: false },
    { name: 'times-square.times-square.svc', port: 443, isInternal: true },
    { name: '*', port: 443, isInternal: false },
  ]);
});

test.each([
  'https://hooks.example.org',
  'hooks.example.org/path',
  'user@hooks.example.org',
  'a.*.example.org',
  '*example.org',
  'internal:*',
  '10.0.0.1',
  'internal:10.0.0.1',
  '0x7f.1',
  '[::1]',
  'host:port',
  '-a.example.org',
  'a..example.org',
])('%s is no entry of one', (text) => {
  expect(allowedHost(text)).toBeUndefined();
  expect(() => hostsOf(`good.example.org,${text}`)).toThrow(
    'NOTEBURST_CALLBACK_ALLOWED_HOSTS: should be host names separated by commas',
  );
});

describe.each([
  ['hooks.example.org', 'https://hooks.example.org/a?b', true],
  ['hooks.example.org', 'https://HOOKS.example.org:443/', true],
  ['hooks.example.org', 'https://hooks.example.org./', true],
  ['hooks.example.org', 'http://hooks.example.org/', false],
  ['hooks.example.org', 'https://hooks.example.org:8443/', false],
  ['hooks.example.org:8443', 'https://hooks.example.org:8443/', true],
  ['hooks.example.org:8443', 'https://hooks.example.org/', false],
  ['hooks.example.org', 'https://hooks.example.org.evil.example/', false],
  ['hooks.example.org', 'https://a.hooks.example.org/', false],
  ['*.example.org', 'https://a.b.example.org/', true],
  ['*.example.org', 'https://example.org/', false],
  ['*.example.org', 'https://evilexample.org/', false],
  ['*', 'https://anything.example/', true],
  ['*', 'https://anything.example:22/', false],
  ['', 'https://hooks.example.org/', false],
])('with the list "%s"', (list, url, isAllowed) => {
  test(`${url} ${isAllowed ? 'may' : 'may not'} be called`, () => {
    expect(isAllowedUrl(hostsOf(list), new URL(url))).toBe(isAllowed);
  });
});
