import { describe, expect, test } from 'vitest';
import { CallerCheck } from '../../../lib/http/caller.ts';
import { HttpError } from '../../../lib/http/http-error.ts';

const signal = new AbortController().signal;
const headers = (user?: string, token?: string) => ({
  ...(user === undefined ? {} : { 'x-auth-request-user': user }),
  ...(token === undefined ? {} : { 'x-auth-request-token': token }),
});

/** A check that knows one token, counts its calls, and a clock to set. */
function checked(scopes = ['read:tap', 'exec:notebook']) {
  const state = { asked: 0, nowMs: 0, revoked: false, away: false };
  const check = new CallerCheck(
    async (token) => {
      state.asked++;
      if (state.away) throw new Error('Gafaelfawr is away');
      return token === 'gt-a.s' && !state.revoked ? { username: 'alice', scopes } : undefined;
    },
    'exec:notebook',
    () => state.nowMs,
  );
  return { state, check };
}

describe('the caller', () => {
  test('is who the token belongs to', async () => {
    await expect(checked().check.callerOf(headers('alice', 'gt-a.s'), signal)).resolves.toEqual({
      username: 'alice',
    });
  });

  test('whose token lacks the scope is told so', async () => {
    const { check } = checked(['read:tap']);
    const error = await check.callerOf(headers('alice', 'gt-a.s'), signal).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      status: 403,
      detail: [{ type: 'permission_denied', msg: 'The token lacks the scope exec:notebook' }],
    });
  });

  test.each([
    ['no header', headers()],
    ['the user only', headers('alice')],
    ['the token only', headers(undefined, 'gt-a.s')],
    ['empty headers', headers('', '')],
  ])('with %s is told to come through the ingress', async (_, sent) => {
    const { state, check } = checked();
    const error = await check.callerOf(sent, signal).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      status: 401,
      headers: { 'WWW-Authenticate': 'Bearer' },
      detail: [
        { type: 'invalid_identity', msg: 'The request carries no identity: call through the ingress' },
      ],
    });
    expect(state.asked).toBe(0);
  });

  test.each([
    ["another user's name", headers('bob', 'gt-a.s')],
    ['a token that nobody has', headers('alice', 'gt-a.forged')],
  ])('with %s is refused', async (_, sent) => {
    await expect(checked().check.callerOf(sent, signal)).rejects.toMatchObject({
      status: 401,
      detail: [{ type: 'invalid_identity', msg: 'The delegated token is not valid for this user' }],
    });
  });

  test('is remembered for a minute, and then asked for again: a revoked token is refused within 60 s', async () => {
    const { state, check } = checked();
    await check.callerOf(headers('alice', 'gt-a.s'), signal);
    state.revoked = true;
    state.nowMs = 59_999;
    await check.callerOf(headers('alice', 'gt-a.s'), signal);
    expect(state.asked).toBe(1);
    state.nowMs = 60_000;
    await expect(check.callerOf(headers('alice', 'gt-a.s'), signal)).rejects.toBeInstanceOf(HttpError);
    expect(state.asked).toBe(2);
  });

  test('who was remembered is not somebody else', async () => {
    const { check } = checked();
    await check.callerOf(headers('alice', 'gt-a.s'), signal);
    await expect(check.callerOf(headers('bob', 'gt-a.s'), signal)).rejects.toMatchObject({ status: 401 });
  });

  test('who was refused is not remembered: a token may be made a moment later', async () => {
    const { state, check } = checked();
    state.revoked = true;
    await expect(check.callerOf(headers('alice', 'gt-a.s'), signal)).rejects.toMatchObject({ status: 401 });
    state.revoked = false;
    await expect(check.callerOf(headers('alice', 'gt-a.s'), signal)).resolves.toEqual({ username: 'alice' });
  });

  test('is asked to try again while Gafaelfawr is away', async () => {
    const { state, check } = checked();
    state.away = true;
    await expect(check.callerOf(headers('alice', 'gt-a.s'), signal)).rejects.toMatchObject({
      status: 503,
      headers: { 'Retry-After': '5' },
      detail: [{ type: 'service_unavailable', msg: 'The identity could not be checked, please try again' }],
    });
  });
});
