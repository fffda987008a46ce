import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError } from '../../../lib/config/env.ts';
import { readIdentities } from '../../../workers/executor/identity/identity-pool.ts';
import { thrownBy } from '../../support/thrown.ts';

let dir: string;
let path: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'identities-'));
  path = join(dir, 'identities.yaml');
});
afterAll(() => rmSync(dir, { recursive: true }));

function read(yaml: string) {
  writeFileSync(path, yaml);
  return readIdentities(path);
}

const problemOf = (act: () => unknown) => thrownBy(ConfigError, act).message;

describe('identities.yaml', () => {
  test('is a list of user names, with ids where the platform needs them', () => {
    expect(read('- username: bot-a\n- username: bot-b\n  uid: 90000\n  gid: 90001\n')).toEqual([
      { username: 'bot-a' },
      { username: 'bot-b', uid: 90_000, gid: 90_001 },
    ]);
  });

  test('that is not there is named', () => {
    const missing = join(dir, 'missing.yaml');
    const message = problemOf(() => readIdentities(missing));
    expect(message).toContain(`NOTEBURST_WORKER_IDENTITIES_PATH: ${missing} cannot be read: ENOENT`);
  });

  test('that is not YAML is told where', () => {
    const message = problemOf(() => read('- username: [bot-a\n- x'));
    expect(message).toMatch(
      /^NOTEBURST_WORKER_IDENTITIES_PATH: .*identities\.yaml is not valid YAML: .* at line 2/,
    );
  });

  test.each([
    ['', '  file: should be a list of {username, uid, gid}'],
    ['username: bot-a', '  file: should be a list of {username, uid, gid}'],
    ['[]', '  file: should name at least one identity'],
    ['- username: bot-a\n- username: bot-a', '  file: names a username twice'],
    ['- username: Bot A', '  0.username: should be a user name such as bot-noteburst01'],
    ['- username: bot-a\n- username: -x', '  1.username: should be a user name such as bot-noteburst01'],
  ])('that is %j is told what is wrong', (yaml, problem) => {
    const head = `NOTEBURST_WORKER_IDENTITIES_PATH: ${path} is not a list of identities:`;
    expect(problemOf(() => read(yaml))).toBe(`${head}\n${problem}`);
  });

  test('with many faults tells all of them, with their places', () => {
    const message = problemOf(() =>
      read('- username: 7\n- uid: 1\n- {username: bot-c, uid: -1, gid: x, name: y}'),
    );
    const places = Array.from(message.matchAll(/^ {2}([\w.]+): /gm), ([, place]) => place);
    expect(places).toEqual(['0.username', '1.username', '2.uid', '2.gid', '2']);
  });
});
