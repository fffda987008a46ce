/**
 * A report as JUnit XML: the form that Jenkins, GitLab and the reporters for GitHub read. No one standard says what it
 * is; this keeps to the elements and attributes that they share
 * (https://docs.gitlab.com/ci/testing/unit_test_reports/, junit-10.xsd of Jenkins' xunit plugin).
 */
import Builder from 'fast-xml-builder';
import { countVerdicts, type CaseResult, type SuiteReport } from '../report.ts';
import {
  detailText,
  failureName,
  headline,
  placeText,
  plain,
  shortened,
  suiteMs,
  VERDICTS,
} from './words.ts';

/** Of one traceback. Readers keep them in a database, and show them whole. */
const MAX_DETAIL_CHARS = 64 * 1024;

type Attributes = Record<`@_${string}`, string | number | undefined>;
interface Element extends Attributes {
  [child: string]: string | number | undefined | Element | Element[];
}

export function junitXml(report: SuiteReport): string {
  const { suite, started, service, revision, results } = report;
  const counts = countVerdicts(results);
  const {
    failed = 0,
    unexpected_pass = 0,
    error = 0,
    expected_failure = 0,
    skipped = 0,
    cancelled = 0,
  } = counts;
  const totals: Attributes = {
    '@_name': suite,
    '@_tests': results.length,
    '@_failures': failed + unexpected_pass,
    '@_errors': error,
    '@_skipped': expected_failure + skipped + cancelled,
    '@_time': (suiteMs(report) / 1_000).toFixed(3),
    '@_timestamp': started,
  };
  const properties = [property('service', service), ...(revision ? [property('revision', revision)] : [])];
  const testsuite: Element = {
    ...totals,
    '@_hostname': URL.parse(service)?.hostname ?? service,
    properties: { property: properties },
    ...(results.length > 0 ? { testcase: results.map(testcase) } : {}),
  };
  return builder.build({
    '?xml': { '@_version': '1.0', '@_encoding': 'UTF-8' },
    testsuites: { ...totals, testsuite },
  });
}

const builder = new Builder({
  ignoreAttributes: false,
  format: true,
  suppressEmptyNode: true,
  // Else a notebook of the name `true` has an attribute without a value, which is no XML.
  suppressBooleanAttributes: false,
  attributeValueProcessor: (_, value) => xmlText(String(value)),
  tagValueProcessor: (_, value) => xmlText(String(value)),
});

const property = (name: string, value: string): Element => ({ '@_name': name, '@_value': value });

function testcase(result: CaseResult): Element {
  const { name, path, seconds = 0, failure } = result;
  const line = failure?.place?.file_line;
  return {
    '@_classname': className(path),
    '@_name': name,
    '@_time': seconds.toFixed(3),
    '@_file': path,
    ...(line === undefined ? {} : { '@_line': line }),
    ...outcome(result),
    ...output(result),
  };
}

/** Readers make a tree of it at its dots: `a/b.c.ipynb` is `a.b_c`. */
const className = (path: string): string =>
  path
    .replace(/\.[^./]*$/, '')
    .replaceAll('.', '_')
    .replaceAll('/', '.');

function outcome(result: CaseResult): Element {
  const { verdict, failure } = result;
  const message = headline(result) || VERDICTS[verdict];
  switch (verdict) {
    case 'passed':
      return {};
    case 'failed':
    case 'unexpected_pass':
    case 'error': {
      const type = failure ? failureName(failure) : verdict;
      const text = (failure && detail(result.path, failure)) || message;
      const element = { '@_type': type, '@_message': message, '#text': text };
      return verdict === 'error' ? { error: element } : { failure: element };
    }
    case 'expected_failure':
      return { skipped: { '@_message': `${VERDICTS[verdict]}: ${result.expected ?? message}` } };
    case 'skipped':
    case 'cancelled':
      return { skipped: { '@_message': message } };
  }
}

function detail(path: string, failure: NonNullable<CaseResult['failure']>): string {
  const place = failure.place && placeText(failure.place);
  const text = detailText(failure, MAX_DETAIL_CHARS) || shortened(plain(failure.message), MAX_DETAIL_CHARS);
  return place ? `${path}, ${place}\n\n${text}` : text;
}

/** What has no attribute of its own. */
function output({ job_url, executed, attempts, warnings = [] }: CaseResult): Element {
  const lines = [
    ...(job_url ? [`Job: ${job_url}`] : []),
    ...(executed ? [`Executed notebook: ${executed}`] : []),
    ...(attempts ? [`Attempts: ${attempts}`] : []),
    ...warnings.map((warning) => `Warning: ${warning}`),
  ];
  return lines.length === 0 ? {} : { 'system-out': lines.join('\n') };
}

/** XML 1.0 knows neither most control characters nor halves of pairs, also not escaped (https://www.w3.org/TR/xml/#charsets). */
const xmlText = (text: string): string =>
  text.replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD');
