/** A token of the platform for the runner's own OIDC token, so that the repository holds no secret (docs/ci.md). */
import { setTimeout as sleep } from 'node:timers/promises';
import { getIDToken, setSecret } from '@actions/core';
import { z } from 'zod';

export interface TokenExchange {
  url: string;
  /** The OIDC token's `aud`. */
  audience: string;
}

/** Why there is no token; the message holds none. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
}

const ANSWER_MS = 30_000;
const PAUSES_MS = [1_000, 4_000];
/** By these a proxy says that the platform is away for now. */
const NOT_NOW = new Set([429, 502, 503, 504]);

/** RFC 8693, section 2.2.1; what else is in it means nothing here. */
const answer = z.object({
  access_token: z.string().regex(/^[!-~]+$/),
  token_type: z.string().regex(/^bearer$/i),
});
/** RFC 6749, section 5.2. */
const refusal = z.object({ error: z.string(), error_description: z.string().optional() });

/**
 * Has a token made that may run notebooks; the log masks it.
 *
 * @throws {TokenError}
 */
export async function exchangeToken({ url, audience }: TokenExchange): Promise<string> {
  const subject = await idToken(audience);
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subject,
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    scope: 'exec:notebook',
  });
  const response = await send(url, body);
  const text = await response.text().catch(() => '');
  if (!response.ok) throw new TokenError(`${url} gives no token: ${reason(response.status, text)}`);
  const { data } = answer.safeParse(parsed(text));
  if (!data) throw new TokenError(`${url} does not answer as a token exchange does (RFC 8693)`);
  setSecret(data.access_token);
  return data.access_token;
}

async function idToken(audience: string): Promise<string> {
  try {
    return await getIDToken(audience);
  } catch (error) {
    throw new TokenError(
      'GitHub gives the job no OIDC token: it needs the permission id-token: write, which pull requests from forks never have. ' +
        (error as Error).message,
    );
  }
}

/** An exchange may be asked for again: each answer is a token of its own. */
async function send(url: string, body: URLSearchParams): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    const pauseMs = PAUSES_MS[attempt];
    try {
      // The token is for this address only.
      const init = {
        method: 'POST',
        body,
        redirect: 'manual',
        signal: AbortSignal.timeout(ANSWER_MS),
      } as const;
      const response = await fetch(url, { ...init, headers: { Accept: 'application/json' } });
      if (pauseMs === undefined || !NOT_NOW.has(response.status)) return response;
      await response.body?.cancel();
    } catch (error) {
      const { cause, message } = error as Error;
      const why = cause instanceof Error ? cause.message : message;
      if (pauseMs === undefined) throw new TokenError(`${url} cannot be reached: ${why}`);
    }
    await sleep(pauseMs);
  }
}

function reason(status: number, text: string): string {
  const { data } = refusal.safeParse(parsed(text));
  if (!data) return `HTTP ${status}`;
  const { error, error_description: description } = data;
  return `${[error, description].filter(Boolean).join(': ').slice(0, 300)} (HTTP ${status})`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
