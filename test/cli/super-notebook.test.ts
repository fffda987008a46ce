import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseNotebook, type CodeCell } from '../../lib/contract/nbformat.ts';
import { run } from '../../platform/process/run.ts';
import { pythonOf } from '../../platform/setup/venv.ts';
import { writeNotebook } from '../support/suite-notebooks.ts';
import { Command, server } from './support/command.ts';

const command = new Command();

/** Executes a notebook as a person would in a lab, with what a lab's environment says of the platform. */
async function execute(name: string): Promise<CodeCell[]> {
  const program = `
import nbformat, sys
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
try:
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
finally:
    nbformat.write(notebook, sys.argv[1])
`;
  const env = {
    ...process.env,
    EXTERNAL_INSTANCE_URL: new URL(server.baseUrl).origin,
    ACCESS_TOKEN: server.token,
  };
  const options = { cwd: command.dir, env, timeoutMs: 90_000 };
  await run(pythonOf(server.venvDir ?? ''), ['-c', program, name], options).catch(() => undefined);
  const { cells } = parseNotebook(readFileSync(join(command.dir, name), 'utf8'));
  return cells.filter((cell) => cell.cell_type === 'code');
}

test('a super-notebook runs the suite inside of Jupyter, and fails when a notebook of it does', async () => {
  writeNotebook(join(command.dir, 'good.ipynb'), ['print(n)']);
  writeNotebook(join(command.dir, 'deep/bad.ipynb'), ['missing']);
  writeNotebook(join(command.dir, 'known.ipynb'), ['1 / 0']);
  writeFileSync(
    join(command.dir, 'noteburst.yaml'),
    `name: "Both ''' and \\" quotes"
defaults: { kernel: python3 }
notebooks:
  - { match: good.ipynb, parameter_sets: { one: { n: 1 }, two: { n: "it's \\\\n" } } }
  - { match: known.ipynb, expected_failure: { reason: DM-1, error: ZeroDivisionError } }
`,
  );
  const { code, stdout } = await command.run(['suite', 'notebook']);
  expect(code).toBe(0);
  expect(stdout).toContain('noteburst-suite.ipynb: runs 4 notebooks');
  // The notebook is none of the suite itself.
  const names = (await command.run(['suite', 'list'])).stdout.trim().split('\n');
  expect(names.map((line) => line.split(' (expected')[0])).toEqual([
    'deep/bad.ipynb',
    'good.ipynb [one]',
    'good.ipynb [two]',
    'known.ipynb',
  ]);
  const cells = await execute('noteburst-suite.ipynb');
  const [table] = cells[2]?.outputs ?? [];
  const html = String((table as { data: Record<string, unknown> }).data['text/html']);
  const rows = html.split('<tr>').slice(2);
  const verdicts = rows.map((row) => /<td>\S+ ([a-z ]+)<td>/.exec(row)?.[1]);
  expect(verdicts).toEqual(['failed', 'passed', 'passed', 'expected failure']);
  expect(html).toContain('NameError');
  expect(html).toMatch(new RegExp(`<a href="${server.baseUrl}/v1/notebooks/`));
  expect(cells[3]?.outputs).toMatchObject([
    { text: ['3 of 4 are well\n'] },
    { output_type: 'error', ename: 'RuntimeError', evalue: 'not well: deep/bad.ipynb' },
  ]);
});

test.each([
  ['a number of notebooks at once that is none', ['-j', 'abc'], '', '--jobs should be a number from 1'],
  ['regression mode, which it has not', [], 'regression: { against: committed }\n', 'compares no outputs'],
])('%s is told, and nothing is written', async (_what, args, more, message) => {
  const cwd = mkdtempSync(join(command.dir, 'refused-'));
  writeNotebook(join(cwd, 'good.ipynb'), ['1']);
  writeFileSync(join(cwd, 'noteburst.yaml'), `name: x\n${more}`);
  expect(await command.run(['suite', 'notebook', ...args], { cwd })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(message) as string,
  });
  expect(existsSync(join(cwd, 'noteburst-suite.ipynb'))).toBe(false);
});
