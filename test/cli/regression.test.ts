import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeNotebook } from '../support/suite-notebooks.ts';
import { Command } from './support/command.ts';

const command = new Command();
const file = (name: string) => join(command.dir, name);
const suiteFile = (against: string) =>
  writeFileSync(
    file('noteburst.yaml'),
    `defaults: { kernel: python3 }
regression:
  against: ${against}
  sanitize: [{ match: 'run \\d+', replace: run N }]
`,
  );
const run = (value: number, ...more: string[]) =>
  command.run(['run', '-p', `value=${value}`, '--out', 'executed', '--baseline', 'good', ...more]);

test('a notebook that puts out other than its last good run fails, and that run stays the reference', async () => {
  suiteFile('last');
  writeNotebook(file('a.ipynb'), [
    'import time\nprint("run", time.time_ns(), object())',
    'print("value", value)',
  ]);
  expect(await command.run(['run'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Give --baseline') as string,
  });
  // The first time there is nothing to compare with; the second, only what may vary has varied.
  expect(await run(1)).toMatchObject({ code: 0 });
  expect(await run(1)).toMatchObject({ code: 0 });
  for (const _time of ['once', 'and again']) {
    const { code, stdout } = await run(2);
    expect(stdout).toContain('1 cell puts out other than of the last good run');
    expect(stdout).toContain('-value 1');
    expect(stdout).toContain('+value 2');
    expect(stdout).not.toContain('+run');
    expect(code).toBe(1);
  }
});

test('a notebook that puts out other than its file has fails at the line of the cell', async () => {
  suiteFile('committed');
  writeNotebook(file('a.ipynb'), ['print("same")', 'print("value", value)']);
  const warned = await run(1, '--json', 'report.json');
  expect(warned.code).toBe(0);
  expect(readFileSync(file('report.json'), 'utf8')).toContain('There are no earlier outputs to compare with');
  // Committed with its outputs, as it was executed; without the parameters that were injected.
  const executed = JSON.parse(readFileSync(file('executed/a.ipynb'), 'utf8')) as { cells: unknown[] };
  writeFileSync(
    file('a.ipynb'),
    JSON.stringify({ ...executed, cells: executed.cells.slice(1) }, undefined, 1),
  );
  expect(await run(1)).toMatchObject({ code: 0 });
  const { code, stdout } = await run(2);
  const lines = readFileSync(file('a.ipynb'), 'utf8').split('\n');
  const second = lines.lastIndexOf('  {') + 1;
  expect(stdout).toContain(`a.ipynb:${second}: cell 1`);
  expect(stdout).toContain('+value 2');
  expect(code).toBe(1);
});
