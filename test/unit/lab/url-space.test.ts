import { expect, test } from 'vitest';
import { RedirectRefusedError } from '../../../workers/executor/lab/errors.ts';
import { UrlSpace } from '../../../workers/executor/lab/url-space.ts';

const space = new UrlSpace('https://nb.example.org/nb/', 'bot-a');
const home = space.hub('hub/home');

test('hub and lab URLs are below the base', () => {
  expect(home.href).toBe('https://nb.example.org/nb/hub/home');
  expect(space.lab('api/status').href).toBe('https://nb.example.org/nb/user/bot-a/api/status');
  expect(space.lab('lab', 'https://bot-a.nb.example.org').href).toBe(
    'https://bot-a.nb.example.org/nb/user/bot-a/lab',
  );
});

test.each([
  '/nb/hub/login?next=x',
  'https://bot-a.nb.example.org/nb/user/bot-a/lab',
  'https://bot-a.nb.example.org/nb/hub/api/oauth2/authorize',
  '/nb/',
  'home?x=1',
])('%s is ours', (location) => {
  expect(space.resolve(location, home)).toBeInstanceOf(URL);
});

test.each([
  'https://bot-b.nb.example.org/nb/user/bot-a/lab',
  'https://bot-a.evil.org/nb/user/bot-a/lab',
  'https://nb.example.org.evil.org/nb/hub/home',
  'http://nb.example.org/nb/hub/home',
  'https://nb.example.org:8443/nb/hub/home',
  '//evil.org/nb/hub/home',
  '/nb/user/bot-a/%2e%2e/bot-b/lab',
  '/nb/user/bot-ab/lab',
  '/',
])('%s is a stranger', (location) => {
  expect(() => space.resolve(location, home)).toThrow(RedirectRefusedError);
});

test('a hub at the root of its host works too', () => {
  const root = new UrlSpace('http://127.0.0.1:8000', 'bot-a');
  expect(root.hub('hub/home').href).toBe('http://127.0.0.1:8000/hub/home');
  expect(root.resolve('/user/bot-a/lab', root.hub('hub/home')).pathname).toBe('/user/bot-a/lab');
});
