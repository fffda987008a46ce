import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { planSuite, submissionOptions, type Selection } from '../../../suite/plan.ts';
import { parseSuiteFile } from '../../../suite/suite-file.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'noteburst-plan-'));
  const files = [
    'a.ipynb',
    'b[1].ipynb',
    'deep/c.ipynb',
    'deep/draft-d.ipynb',
    'deep/.ipynb_checkpoints/c-checkpoint.ipynb',
    'node_modules/x/e.ipynb',
    'noteburst-suite.ipynb',
    'executed/.noteburst-executed',
    'executed/a.ipynb',
    'readme.txt',
    'deep/page.md',
    'deep/script.py',
  ];
  for (const file of files) {
    mkdirSync(dirname(join(dir, file)), { recursive: true });
    writeFileSync(join(dir, file), '{}');
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const plan = (yaml = '', selection: Partial<Selection> = {}) =>
  planSuite({ dir, suite: parseSuiteFile(yaml, 'noteburst.yaml'), ...selection });
const names = async (...args: Parameters<typeof plan>) => (await plan(...args)).map(({ name }) => name);

describe('which notebooks', () => {
  test('all of the folder, but copies, packages, what was executed and the super-notebook', async () => {
    expect(await names()).toEqual(['a.ipynb', 'b[1].ipynb', 'deep/c.ipynb', 'deep/draft-d.ipynb']);
  });

  test('included and not excluded, by the file and by the command', async () => {
    const yaml = 'include: "deep/**/*.ipynb"\nexclude: "**/draft-*"';
    expect(await names(yaml)).toEqual(['deep/c.ipynb']);
    expect(await names('', { exclude: ['deep/**'] })).toEqual(['a.ipynb', 'b[1].ipynb']);
  });

  test.each([
    [['b[1].ipynb'], ['b[1].ipynb']],
    [['deep'], ['deep/c.ipynb', 'deep/draft-d.ipynb']],
    [
      ['*.ipynb', 'deep/c*'],
      ['a.ipynb', 'b[1].ipynb', 'deep/c.ipynb'],
    ],
    [['./a.ipynb', 'a.ipynb'], ['a.ipynb']],
    [['deep/*.{py,md}'], ['deep/page.md', 'deep/script.py']],
    [['deep/script.py'], ['deep/script.py']],
  ])('those that were named: %j', async (paths, expected) => {
    expect(await names('include: nothing', { paths })).toEqual(expected);
  });

  test.each([['deep'], ['deep/'], ['./deep'], ['draft-*', 'c.ipynb'], ['**/c.ipynb', 'deep/draft-d.ipynb']])(
    'a folder, a name or a pattern is left out with all below: %j %j',
    async (...exclude) => {
      expect(await names('', { exclude })).toEqual(['a.ipynb', 'b[1].ipynb']);
    },
  );

  test('what is named on the command line is from where the user is, and the suite’s rules are of the suite', async () => {
    const yaml = 'notebooks: [{ match: deep/c.ipynb, timeout: 7 }]';
    const base = join(dir, 'deep');
    const [which] = await plan(yaml, { base, paths: ['c.ipynb'] });
    expect(which).toMatchObject({ name: 'deep/c.ipynb', options: { timeout: 7 } });
    expect(await names('', { base, paths: ['*.ipynb'], exclude: ['./c.ipynb'] })).toEqual([
      'deep/draft-d.ipynb',
    ]);
  });

  test('links are not followed, but what is named is taken, also of a folder of executed notebooks', async () => {
    symlinkSync('/', join(dir, 'deep/root'));
    expect(await names('include: "deep/**/*.ipynb"')).toEqual(['deep/c.ipynb', 'deep/draft-d.ipynb']);
    rmSync(join(dir, 'deep/root'));
    expect(await names('', { paths: ['executed/a.ipynb'] })).toEqual(['executed/a.ipynb']);
  });

  test('absolute paths, and those beside the folder', async () => {
    expect(await names('', { paths: [join(dir, 'a.ipynb')] })).toEqual(['a.ipynb']);
    expect(await names('', { dir: join(dir, 'deep'), paths: ['../a.ipynb', '../*.ipynb'] })).toEqual([
      '../a.ipynb',
      '../b[1].ipynb',
    ]);
  });

  test.each([
    [['gone.ipynb'], 'gone.ipynb: there is no such file or folder'],
    [['*.nothing'], '*.nothing: there is no notebook that matches'],
    [['readme.txt'], 'readme.txt: only .ipynb, .py and .md files can be run'],
  ])('nothing is an error: %j', async (paths, message) => {
    await expect(plan('', { paths })).rejects.toThrow(message);
  });
});

describe('how', () => {
  const yaml = `
defaults: { timeout: 5m, parameters: { a: 1, b: 1 } }
notebooks:
  - match: "deep/**"
    timeout: 20m
    parameters: { b: 2 }
  - match: c.ipynb
    kernel: other
    expected_failure: { reason: DM-1, error: NameError }
    parameter_sets: { small: { n: 1 }, large: { n: 9, a: 3 } }
`;

  test('later matches win over earlier ones, those over the defaults, and the command over all', async () => {
    const [a, small, large] = await plan(yaml, {
      paths: ['a.ipynb', 'deep/c.ipynb'],
      options: { timeout: '1m' },
    });
    expect(a).toMatchObject({ name: 'a.ipynb', options: { timeout: '1m', parameters: { a: 1, b: 1 } } });
    expect(a).not.toHaveProperty('expectedFailure');
    expect(small).toEqual({
      name: 'deep/c.ipynb [small]',
      path: 'deep/c.ipynb',
      file: join(dir, 'deep/c.ipynb'),
      options: { timeout: '1m', kernel: 'other', parameters: { a: 1, b: 2, n: 1 } },
      expectedFailure: { reason: 'DM-1', error: 'NameError' },
    });
    expect(large?.options.parameters).toEqual({ a: 3, b: 2, n: 9 });
  });

  test('what the service is told', () => {
    expect(submissionOptions({ kernel: 'k', cell_timeout: 3, retry: false, priority: 'batch' })).toEqual({
      kernel_name: 'k',
      cell_timeout: 3,
      enable_retry: false,
      priority: 'batch',
    });
  });
});
