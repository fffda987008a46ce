import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { CommandError, run } from '../../platform/process/run.ts';
import { FuzzedService } from './service.ts';

/** What Schemathesis reports, as far as it is read here. */
interface Report {
  complete: boolean;
  test_cases: { generated: number; unique_failures: number; errored: number };
  phases: Record<string, { status: string }>;
}

const here = (name: string) => join(import.meta.dirname, name);

test('Schemathesis finds nothing wrong with either function', async () => {
  await using service = await FuzzedService.start(inject('redisUrl'));
  const token = service.tokenOf('alice');
  const dir = mkdtempSync(join(tmpdir(), 'noteburst-schemathesis-'));
  try {
    const answer = await fetch(`${service.url}/noteburst/openapi.json`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    writeFileSync(join(dir, 'openapi.json'), await answer.text());
    const options = {
      url: service.url,
      checks: 'all',
      // A cancelled job can still be read.
      'exclude-checks': 'use_after_free',
      'request-timeout': '20',
      seed: String(inject('fuzzSeed')),
      'max-examples': String(inject('fuzzCases')),
      'generation-database': 'none',
      report: 'json',
      'report-json-path': join(dir, 'report.json'),
    };
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    args.unshift('--config-file', here('schemathesis.toml'), 'run', join(dir, 'openapi.json'));
    args.push('--continue-on-failure', '--no-color');
    const env = { ...process.env, NOTEBURST_TOKEN: token, SCHEMATHESIS_HOOKS: here('hooks.py') };
    const failed = await run(inject('schemathesis'), args, { cwd: dir, env }).then(
      () => '',
      (error: unknown) => (error instanceof CommandError ? error.output : String(error)),
    );
    expect(failed).toBe('');
    const report = JSON.parse(readFileSync(join(dir, 'report.json'), 'utf8')) as Report;
    const { generated, unique_failures, errored } = report.test_cases;
    console.log(`Schemathesis: ${generated} cases, ${unique_failures} failures, ${errored} errors`);
    expect(report.complete).toBe(true);
    expect(Object.values(report.phases).map(({ status }) => status)).not.toContain('skip');
    expect(generated).toBeGreaterThan(300);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
