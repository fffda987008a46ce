import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../../platform/state.ts';
import { junitFaults } from '../support/junit.ts';
import { writeNotebook } from '../support/suite-notebooks.ts';
import { Command, server } from './support/command.ts';

const command = new Command();
const exec = promisify(execFile);

/** The first block of code in a section of docs/ci.md. */
function example(section: string): string {
  const [, text = ''] = readFileSync(join(ROOT, 'docs/ci.md'), 'utf8').split(`\n## ${section}\n`);
  return /```\w+\n([^]*?)```/.exec(text)?.[1] ?? '';
}

/** A suite of two notebooks, under git, with one that fails. */
async function repository(dir: string): Promise<void> {
  writeNotebook(join(dir, 'good.ipynb'), ['1']);
  writeNotebook(join(dir, 'bad.ipynb'), ['missing']);
  writeFileSync(join(dir, 'noteburst.yaml'), 'name: Ours\ndefaults: { kernel: python3 }\n');
  const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.org'];
  await exec('git', ['init', '-q', dir]);
  await exec('git', ['-C', dir, 'add', '.']);
  await exec('git', ['-C', dir, ...author, 'commit', '-qm', 'Notebooks']);
}

const commonEnv = () => ({
  PATH: process.env['PATH'],
  HOME: command.dir,
  NOTEBURST_BASE_URL: server.baseUrl,
  NOTEBURST_TOKEN: server.token,
});

test('the example for GitLab runs, and leaves the artifacts that it names', async () => {
  const { notebooks } = parse(example('GitLab')) as {
    notebooks: {
      variables: Record<string, string>;
      script: string[];
      artifacts: { paths: string[]; reports: { junit: string } };
    };
  };
  await using release = createServer((_request, response) => {
    response.end(readFileSync(command.path));
  });
  release.listen(0, '127.0.0.1');
  await once(release, 'listening');
  const NOTEBURST_COMMAND = `http://127.0.0.1:${(release.address() as AddressInfo).port}/noteburst.mjs`;
  const dir = join(command.dir, 'gitlab');
  await repository(dir);
  const env = { ...notebooks.variables, ...commonEnv(), NOTEBURST_COMMAND };
  const script = `set -e\n${notebooks.script.join('\n')}`;
  // A runner ends the job at the first line that fails.
  await expect(exec('bash', ['-c', script], { cwd: dir, env })).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringContaining('1 failed, 1 passed in') as string,
  });
  const { paths, reports } = notebooks.artifacts;
  expect(await junitFaults(readFileSync(join(dir, reports.junit), 'utf8'))).toEqual([]);
  for (const path of paths) expect(existsSync(join(dir, path))).toBe(true);
  expect(readFileSync(join(dir, 'public/index.html'), 'utf8')).toContain('executed/bad.ipynb');
});

test('the example for cron runs every night, and tells what has changed', async () => {
  const lines = example('Cron').trim().split('\n');
  const [, minute, hour, task = ''] = /^(\d+) (\d+) \* \* \* (.*)$/.exec(lines.at(-1) ?? '') ?? [];
  expect([Number(minute) < 60, Number(hour) < 24]).toEqual([true, true]);
  const set = Object.fromEntries(lines.slice(0, -1).map((line) => line.split('=', 2) as [string, string]));
  const upstream = join(command.dir, 'upstream');
  await repository(upstream);
  const [SUITE, WWW, NOTEBURST] = ['clone', 'www', 'noteburst'].map((name) => join(command.dir, name)) as [
    string,
    string,
    string,
  ];
  await exec('git', ['clone', '-q', upstream, SUITE]);
  mkdirSync(WWW);
  writeFileSync(NOTEBURST, `#!/bin/sh\nexec '${process.execPath}' '${command.path}' "$@"\n`);
  chmodSync(NOTEBURST, 0o755);
  expect(Object.keys(set).toSorted()).toEqual(['NOTEBURST', 'NOTEBURST_BASE_URL', 'SUITE', 'WWW']);
  const night = () => exec('/bin/sh', ['-c', task], { env: { ...commonEnv(), SUITE, WWW, NOTEBURST } });
  // What is printed goes out by mail.
  expect((await night()).stdout).toContain('1 failed, 1 passed in');
  writeNotebook(join(upstream, 'bad.ipynb'), ['"mended"']);
  const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.org'];
  await exec('git', ['-C', upstream, ...author, 'commit', '-qam', 'Mend it']);
  expect((await night()).stdout).toBe('');
  expect(readFileSync(join(WWW, 'log.txt'), 'utf8')).toContain('fixed: bad.ipynb');
  expect(readFileSync(join(WWW, 'index.html'), 'utf8')).toContain('Fixed');
});
