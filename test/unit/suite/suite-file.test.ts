import { describe, expect, test } from 'vitest';
import { parseSuiteFile } from '../../../suite/suite-file.ts';

const parse = (text: string) => parseSuiteFile(text, 'noteburst.yaml');

/** Each line ten times the one before. */
const BOMB = [
  'a0: &a0 [x]',
  ...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => `a${n}: &a${n} [${`*a${n - 1},`.repeat(10)}]`),
].join('\n');

describe('a suite file', () => {
  test('may be empty: all notebooks, as the service runs them', () => {
    expect(parse('')).toEqual({
      include: ['**/*.ipynb'],
      exclude: [],
      schedules: [],
      defaults: {},
      notebooks: [],
    });
  });

  test('says which notebooks, and how', () => {
    const suite = parse(`
name: Tutorials
include: docs/**/*.ipynb
exclude: ["**/draft-*"]
defaults: { kernel: lsst, timeout: 10m }
notebooks:
  - match: broken.ipynb
    expected_failure: waits for DM-1
  - match: [a.ipynb, b.ipynb]
    parameter_sets: { small: { n: 1 }, large: { n: 100 } }
`);
    expect(suite).toEqual({
      name: 'Tutorials',
      schedules: [],
      include: ['docs/**/*.ipynb'],
      exclude: ['**/draft-*'],
      defaults: { kernel: 'lsst', timeout: '10m' },
      notebooks: [
        { match: ['broken.ipynb'], expected_failure: { reason: 'waits for DM-1' } },
        { match: ['a.ipynb', 'b.ipynb'], parameter_sets: { small: { n: 1 }, large: { n: 100 } } },
      ],
    });
  });

  test('has timeouts in seconds', () => {
    expect(parse('defaults: { timeout: 90, cell_timeout: 1.5 }').defaults).toEqual({
      timeout: 90,
      cell_timeout: 1.5,
    });
  });

  test('may say once what several share', () => {
    const { notebooks } = parse(`
defaults: &usual { kernel: lsst, timeout: 1h }
notebooks: [{ match: a.ipynb, <<: *usual, timeout: 5m }]
`);
    expect(notebooks).toEqual([{ match: ['a.ipynb'], kernel: 'lsst', timeout: '5m' }]);
  });

  test.each([
    ['defaults:\n  timeuot: 5m', 'noteburst.yaml:2: defaults: Unrecognized key: "timeuot"'],
    [
      'name: x\ndefaults:\n  timeout: soon',
      'noteburst.yaml:3: defaults.timeout: should be seconds, or a duration',
    ],
    ['notebooks:\n  - timeout: 5m', 'noteburst.yaml:2: notebooks.0.match: should be a pattern, or a list'],
    ['include: 3', 'noteburst.yaml:1: include: should be a pattern, or a list of patterns'],
    ['defaults: { timeout: yes }', 'noteburst.yaml:1: defaults.timeout: should be seconds, or a duration'],
    [
      'notebooks: [{ match: a, expected_failure: { error: x } }]',
      'noteburst.yaml:1: notebooks.0.expected_failure: should be the reason, or { reason, error }',
    ],
    [
      'defaults:\n  parameters:\n    a: 1\n    n: 12345678901234567890',
      'noteburst.yaml:4: defaults.parameters.n: 12345678901234567890 has more digits than can be sent',
    ],
    [
      'notebooks:\n  - match: a\n    parameter_sets:\n      one: { n: [1, .inf] }',
      'noteburst.yaml:4: notebooks.0.parameter_sets.one.n.1: JSON has neither NaN nor infinity',
    ],
    ['defaults: { timeout: 0 }', 'noteburst.yaml:1: defaults.timeout: should be seconds'],
    ['include: *nothing', 'noteburst.yaml: Unresolved alias'],
    [BOMB, 'noteburst.yaml: Excessive alias count'],
    ['defaults: {priority: now}', 'noteburst.yaml:1: defaults.priority: '],
    ['name: 2026', 'noteburst.yaml:1: name: Invalid input: expected string, received number'],
    [
      'defaults:\n  kernel: 3',
      'noteburst.yaml:2: defaults.kernel: Invalid input: expected string, received number',
    ],
    ['include: [', 'noteburst.yaml: Flow sequence'],
    ['- a', 'noteburst.yaml: Invalid input: expected object'],
  ])('says where it is wrong: %j', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});

describe('of a file that is wrong throughout', () => {
  const told = (text: string): string => {
    try {
      parse(text);
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error('It was taken');
  };

  test('the first 20 places are told, and how many there are more', () => {
    const lines = told(`notebooks:\n${'  - { match: a, retry: 1 }\n'.repeat(1_000)}`).split('\n');
    expect(lines).toHaveLength(21);
    expect(lines[19]).toMatch(/^noteburst\.yaml:21: notebooks\.19\.retry: /);
    expect(lines[20]).toBe('noteburst.yaml: 980 more like these');
  });

  test('each is told in short', () => {
    const unknown = Array.from({ length: 100 }, (_, n) => `unknown${n}: 1`).join('\n');
    expect(told(unknown)).toMatch(/^noteburst\.yaml: Unrecognized keys: "unknown0".{400,500}…$/);
  });
});

describe('schedules', () => {
  test('have a name and a time zone', () => {
    const { schedules } = parse(
      'schedules: [{ cron: "0 3 * * 1-5" }, { name: hourly, cron: "0 * * * *", timezone: America/Santiago }]',
    );
    expect(schedules).toEqual([
      { name: '0 3 * * 1-5', cron: '0 3 * * 1-5', timezone: 'UTC' },
      { name: 'hourly', cron: '0 * * * *', timezone: 'America/Santiago' },
    ]);
  });

  test.each([
    ['cron: "61 * * * *"', 'should be minutes, hours'],
    ['cron: "* * * * * *"', 'should be minutes, hours'],
    ['cron: "0 0 30 2 *"', 'never comes'],
    ['cron: "0 0 * * *", timezone: Nowhere', 'should be minutes, hours'],
    ['cron: ""', 'should be minutes, hours'],
  ])('are ones that a clock can follow: %s', (text, message) => {
    expect(() => parse(`schedules:\n  - { ${text} }`)).toThrow(message);
    expect(() => parse(`schedules:\n  - { ${text} }`)).toThrow(/^noteburst\.yaml:2: schedules\.0\.cron/);
  });
});

describe('the name of what outputs are compared with', () => {
  test('is one that may stand anywhere', () => {
    expect(parse('regression: { against: last, baseline: 2026-11_v2 }').regression?.baseline).toBe(
      '2026-11_v2',
    );
  });

  test.each([
    ['against: last, baseline: ../other', 'should be a name'],
    ['against: last, baseline: 2', 'in quotes if it is a number'],
    ['against: last, baseline: ""', 'should be a name'],
    ['against: committed, baseline: v2', 'is for "against: last"'],
  ])('is refused: %s', (text, message) => {
    expect(() => parse(`regression: { ${text} }`)).toThrow(message);
    expect(() => parse(`regression: { ${text} }`)).toThrow(/^noteburst\.yaml:1: regression\.baseline/);
  });
});
