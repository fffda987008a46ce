import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keepExecuted } from '../../../suite/keep-executed.ts';
import type { SuiteCase } from '../../../suite/plan.ts';
import { regressionOptions } from '../../../suite/regression/options.ts';
import { notebookSource } from '../../../suite/source/notebook-source.ts';
import { ipynb } from '../../support/notebooks.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'noteburst-keep-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const caseOf = (path: string, set?: string): SuiteCase => ({
  name: set === undefined ? path : `${path} [${set}]`,
  path,
  file: join(dir, 'suite', path),
  options: {},
});
const run = { source: notebookSource(ipynb()), isWell: true };

describe('executed notebooks', () => {
  test('are kept under names of their own, whatever the sets of parameters are called', async () => {
    const cases = [
      caseOf('a.ipynb'),
      ...['small', 'α', 'β', 'a b', 'a-b', 'x\ny', 'SMALL'].map((set) => caseOf('par.ipynb', set)),
      caseOf('par.small.ipynb'),
      caseOf('../a.ipynb'),
      caseOf('script.py'),
    ];
    const out = join(dir, 'out');
    const keep = keepExecuted({ cases, out });
    for (const which of cases) await keep(which, which.name, run);
    const files = readdirSync(out).filter((name) => name.endsWith('.ipynb'));
    const texts = files.map((name) => readFileSync(join(out, name), 'utf8'));
    expect(texts.toSorted()).toEqual(cases.map(({ name }) => name).toSorted());
    expect(new Set(files.map((name) => name.toLowerCase())).size).toBe(cases.length);
    expect(files).toContain('script.py.ipynb');
  });

  test.each(['suite', '.', 'suite/deep'])('are not written over the suite: %s', (folder) => {
    mkdirSync(join(dir, 'suite/deep'), { recursive: true });
    const keep = () => keepExecuted({ cases: [caseOf('deep/a.ipynb')], out: join(dir, folder) });
    expect(keep).toThrow('lies in it');
    expect(existsSync(join(dir, folder, '.noteburst-executed'))).toBe(false);
  });

  test('take the place of a link, and leave alone what it leads to', async () => {
    const out = join(dir, 'out');
    mkdirSync(out);
    writeFileSync(join(dir, 'precious'), 'precious');
    symlinkSync(join(dir, 'precious'), join(out, 'a.ipynb'));
    const which = caseOf('a.ipynb');
    await keepExecuted({ cases: [which], out })(which, 'executed', run);
    expect(readFileSync(join(dir, 'precious'), 'utf8')).toBe('precious');
    expect(readFileSync(join(out, 'a.ipynb'), 'utf8')).toBe('executed');
  });

  test('a folder that cannot be made is told before anything is run', () => {
    writeFileSync(join(dir, 'file'), '');
    expect(() => keepExecuted({ cases: [], out: join(dir, 'file/out') })).toThrow('cannot be written to');
  });

  test('a last good run that cannot be read is a warning, and replaced', async () => {
    const baseline = join(dir, 'good');
    mkdirSync(baseline);
    writeFileSync(join(baseline, 'a.ipynb'), '{');
    const which = caseOf('a.ipynb');
    const regression = regressionOptions.parse({ against: 'last' });
    const keep = keepExecuted({ cases: [which], baseline, regression });
    expect((await keep(which, ipynb(), run)).warnings?.[0]).toContain('The last good run cannot be read');
    expect(readFileSync(join(baseline, 'a.ipynb'), 'utf8')).toBe(ipynb());
  });

  test('last good runs lie below the name that the suite has for them', async () => {
    const baseline = join(dir, 'good');
    const which = caseOf('a.ipynb');
    for (const name of ['v1', 'v2']) {
      const regression = regressionOptions.parse({ against: 'last', baseline: name });
      const keep = keepExecuted({ cases: [which], baseline, regression });
      expect((await keep(which, ipynb(), run)).warnings?.[0]).toContain('no earlier outputs');
      expect(readFileSync(join(baseline, name, 'a.ipynb'), 'utf8')).toBe(ipynb());
    }
  });
});
