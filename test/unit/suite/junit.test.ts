import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { junitXml } from '../../../suite/reports/junit.ts';
import type { SuiteReport } from '../../../suite/report.ts';
import { junitFaults } from '../../support/junit.ts';
import { NIGHTLY, result, suiteReport } from '../../support/suite-report.ts';

const faults = (...reports: SuiteReport[]) => junitFaults(...reports.map(junitXml));

const failing = (message: string) => ({
  failure: { reason: 'exception', name: 'E', message, traceback: [message] },
});

/** The element of a testcase, without its indentation. */
const testcaseOf = (report: SuiteReport, name: string): string =>
  junitXml(report)
    .match(/<testcase [^>]*?(?:\/>|>[^]*?<\/testcase>)/g)
    ?.find((element) => element.includes(`name="${name}"`)) ?? '';

describe('JUnit XML', () => {
  test('is valid, with every verdict and with none', async () => {
    expect(await faults(NIGHTLY, suiteReport([]))).toEqual([]);
  });

  test('counts as its readers do', () => {
    const totals =
      /tests="10" failures="4" errors="1" skipped="3" time="150.000" timestamp="2026-11-21T10:00:00Z"/g;
    expect(junitXml(NIGHTLY).match(totals)).toHaveLength(2);
    expect(junitXml(NIGHTLY)).toContain('hostname="data.example.org"');
  });

  test('has of a failure its type, message, place and traceback without colours', () => {
    const element = testcaseOf(NIGHTLY, 'tutorials/02-light-curves.ipynb');
    expect(element).toContain(
      '<testcase classname="tutorials.02-light-curves" name="tutorials/02-light-curves.ipynb" time="8.100" file="tutorials/02-light-curves.ipynb" line="112">',
    );
    expect(element).toContain(
      '<failure type="KeyError" message="KeyError: &apos;u&apos;">tutorials/02-light-curves.ipynb, cell 5, line 2 (line 112 of the file)\n\n-----',
    );
    expect(element).toContain('----&gt; 2 flux[&quot;u&quot;]\n');
    expect(element).not.toContain('\u001B');
    expect(element).toContain(
      'Job: https://data.example.org/noteburst/v1/notebooks/a2\nExecuted notebook: executed/',
    );
  });

  test('has of a regression what differs, and of what could not be run an error', () => {
    expect(testcaseOf(NIGHTLY, 'tutorials/03-photometry.ipynb')).toContain('\n+median magnitude: 21.39\n');
    expect(testcaseOf(NIGHTLY, 'demos/dashboard.ipynb')).toContain(
      '<error type="Lab lost" message="Lab lost: The lab was lost three times">',
    );
  });

  test.for([
    ['how-to/deprecated-api.ipynb', 'Failed as expected: the old API goes with release 31'],
    ['demos/later.ipynb', 'Skipped'],
    ['demos/stopped.ipynb', 'Cancelled'],
  ] as const)('tells why %s is skipped', ([name, message]) => {
    expect(testcaseOf(NIGHTLY, name)).toContain(`<skipped message="${message}"/>`);
  });

  test('calls a pass that was not expected a failure, with the reason that is out of date', () => {
    expect(testcaseOf(NIGHTLY, 'how-to/no-longer-broken.ipynb')).toContain(
      '<failure type="Unexpected pass" message="It passed, though it is expected to fail: waits for DM-12345">',
    );
  });

  test('has the beginning and the end of a traceback that is too long', () => {
    const long = `begin${'x'.repeat(100_000)}end`;
    const xml = junitXml(suiteReport([result('a', 'failed', failing(long))]));
    expect(xml.length).toBeLessThan(80_000);
    expect(xml).toMatch(/>begin[^<]* characters are left out [^<]*end<\/failure>/);
  });

  test('is no larger for a message that is very long', () => {
    const long = 'x'.repeat(1_000_000);
    const failure = { reason: 'exception', name: long, message: long };
    expect(junitXml(suiteReport([result('a', 'failed', { failure })])).length).toBeLessThan(80_000);
  });

  test('is valid whatever notebooks say', async () => {
    // Halves of pairs, controls, and what ends elements, attributes and CDATA.
    const odd = [
      '\u0000\u001B[31m\u0008\uFFFE\uD800',
      ']]><a b="c\'&amp;&',
      'true',
      '',
      '\r\n\t',
      '-0',
      '__proto__',
    ];
    const reports = odd.map((text, n) =>
      suiteReport(
        [
          result(`${text}${n}`, 'failed', {
            ...failing(text),
            warnings: [text],
            expected: text,
            executed: text,
          }),
        ],
        { suite: text, revision: text },
      ),
    );
    expect(await faults(...reports)).toEqual([]);
    expect(junitXml(suiteReport([result('true', 'passed')]))).toContain('name="true"');

    const anything = fc.string({ unit: 'binary', minLength: 1 });
    const samples = fc.sample(fc.tuple(anything, anything, anything), { numRuns: 40, seed: 8 });
    const random = samples.map(([name, message, suite]) =>
      suiteReport([result(`a/${name}`, 'failed', failing(message))], { suite }),
    );
    expect(await faults(...random)).toEqual([]);
  });
});
