import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { writeCredentials } from '../../../cli/credentials.ts';
import { address } from '../../../cli/options.ts';

const SAVED = 'https://data.example.org/noteburst';
let config: string;
beforeEach(() => {
  config = mkdtempSync(join(tmpdir(), 'noteburst-config-'));
  vi.stubEnv('XDG_CONFIG_HOME', config);
  writeCredentials({ base_url: SAVED, token: 'gt-a.b' });
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(config, { recursive: true });
});

test.each([SAVED, `${SAVED}/`, 'HTTPS://Data.Example.org:443/noteburst'])(
  'the saved token is for its service, however that is written: %s',
  (given) => {
    expect(address({ 'base-url': given })).toEqual({ baseUrl: SAVED, token: 'gt-a.b' });
  },
);

test.each([`${SAVED}x`, 'http://data.example.org/noteburst', 'https://data.example.org'])(
  'and for no other: %s',
  (given) => {
    expect(() => address({ 'base-url': given })).toThrow('There is no token');
  },
);

test.each(['data.example.org', 'https://', 'file:///etc'])('%s is no address', (given) => {
  expect(() => address({ 'base-url': given, token: 'x' })).toThrow('is no address of a service');
});
