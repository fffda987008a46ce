import { describe, expect, test } from 'vitest';
import { asksFor, preferredType } from '../../../lib/http/accept.ts';

const PROBLEM = 'application/problem+json';
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const request = (accept?: string) => ({ headers: accept === undefined ? {} : { accept } });

describe('the type that is wanted most of JSON and HTML', () => {
  test.each<[string | undefined, string | undefined]>([
    [undefined, 'application/json'],
    ['', undefined],
    ['*/*', 'application/json'],
    ['application/json', 'application/json'],
    [BROWSER, 'text/html'],
    ['text/html', 'text/html'],
    ['text/html;q=0.5, application/json', 'application/json'],
    ['text/*', 'text/html'],
    ['image/png', undefined],
    ['text/html;q=0', undefined],
    [`${'a/b,'.repeat(2_000)}text/html`, 'text/html'],
    [';;;,,,=q', undefined],
  ])('for %j is %s', (accept, type) => {
    expect(preferredType(request(accept), ['application/json', 'text/html'])).toBe(type);
  });
});

describe('a type is asked for', () => {
  test.each([PROBLEM, `application/json, ${PROBLEM}`, `${PROBLEM};q=0.1, */*`])('by name: %s', (accept) => {
    expect(asksFor(request(accept), PROBLEM)).toBe(true);
  });

  test.each([undefined, '', '*/*', 'application/*', BROWSER, `${PROBLEM};q=0`])(
    'not with anything else: %s',
    (accept) => {
      expect(asksFor(request(accept), PROBLEM)).toBe(false);
    },
  );
});
