import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../../platform/process/run.ts';
import { findPython } from '../../../platform/setup/python.ts';
import { ROOT } from '../../../platform/state.ts';
import { codeCell, ipynb } from '../../support/notebooks.ts';
import { Addition } from '../support/capabilities.ts';
import { server } from '../support/client.ts';

const { field, operation } = Addition;
const example = (name: string) => join(ROOT, 'docs', 'examples', name);

let dir: string;
beforeAll(() => (dir = mkdtempSync(join(tmpdir(), 'noteburst-examples-'))));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Runs an example to its end, in a folder with a notebook of these cells. */
function runExample(command: string, args: string[], cells: string[]): Promise<string> {
  writeFileSync(join(dir, 'in.ipynb'), ipynb({ cells: cells.map(codeCell) }));
  const env = { ...process.env, NOTEBURST_BASE_URL: server.baseUrl, NOTEBURST_TOKEN: server.token };
  return run(command, args, { cwd: dir, env, timeoutMs: 50_000 });
}

test('run.py saves the executed notebook', async (context) => {
  await field('PostNotebookRequest', 'parameters').orSkip(context);
  const { path } = await findPython();
  const args = [example('run.py'), 'in.ipynb', 'out.ipynb'];
  expect(await runExample(path, args, ['print(n * 14)'])).toBe('out.ipynb was written\n');
  expect(readFileSync(join(dir, 'out.ipynb'), 'utf8')).toContain('42\\n');
  await expect(runExample(path, args, ['1 / 0'])).rejects.toThrow('the notebook raised ZeroDivisionError');
});

test('follow.ts tells of each cell', async (context) => {
  await operation('get', '{job_id}/events').orSkip(context);
  const told = await runExample(
    process.execPath,
    [example('follow.ts'), 'in.ipynb'],
    ['print(6)', 'print(7)'],
  );
  expect(told.trim().split('\n')).toEqual(
    expect.arrayContaining(['6', '1 of 2 cells', '7', '2 of 2 cells', 'the job has completed']),
  );
});

test('cancel.sh downloads what ends soon', async (context) => {
  await operation('delete', '{job_id}').orSkip(context);
  expect(await runExample(example('cancel.sh'), ['in.ipynb'], ['print(42)'])).toContain('executed.ipynb');
  expect(readFileSync(join(dir, 'executed.ipynb'), 'utf8')).toContain('42\\n');
});

test('cancel.sh cancels what does not', async (context) => {
  await operation('delete', '{job_id}').orSkip(context);
  const told = await runExample(example('cancel.sh'), ['in.ipynb'], ['import time; time.sleep(60)']);
  expect(told.trim()).toBe('"phase":"aborted"');
});
