import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** hang: never answers; stall: begins to; reset: cuts the connection; lost: does what was asked, then cuts it */
export type FakeFailure =
  | { status: number; retryAfter?: string }
  | { redirect: string }
  | { body: string }
  | { slowMs: number }
  | 'hang'
  | 'stall'
  | 'reset'
  | 'lost';

/** What is to go wrong next, by what is asked for. */
export class FailurePlan<Action extends string> {
  readonly #failures = new Map<Action, FakeFailure[]>();

  /** The next `times` calls of this action fail in this way. */
  failOn(action: Action, failure: FakeFailure, times = 1): void {
    const queue = this.#failures.get(action) ?? [];
    this.#failures.set(action, [...queue, ...Array<FakeFailure>(times).fill(failure)]);
  }

  take(action: Action): FakeFailure | undefined {
    return this.#failures.get(action)?.shift();
  }

  /** Nothing goes wrong any more. */
  clear(): void {
    this.#failures.clear();
  }
}

/** Fails as planned. @returns whether the request is still to be served */
export async function survives(
  failure: FakeFailure | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  if (failure === undefined) return true;
  if (failure === 'hang') return false;
  if (failure === 'stall') {
    response.writeHead(200, { 'content-length': 99 }).write('{"na');
  } else if (failure === 'reset') {
    request.socket.destroy();
  } else if (failure === 'lost') {
    response.write = () => true;
    response.end = () => request.socket.destroy() as never;
    return true;
  } else if ('slowMs' in failure) {
    await sleep(failure.slowMs);
    return true;
  } else if ('status' in failure) {
    response.writeHead(failure.status, failure.retryAfter ? { 'retry-after': failure.retryAfter } : {});
    response.end('<p>secret-body</p>');
  } else if ('redirect' in failure) {
    redirect(response, failure.redirect);
  } else {
    response.end(failure.body);
  }
  return false;
}

/** A value nobody can guess, for cookies and states. */
export function secret(): string {
  return randomBytes(12).toString('hex');
}

export function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { location }).end();
}

export function status(response: ServerResponse, code: number): void {
  response.writeHead(code).end();
}

export function json(response: ServerResponse, code: number, value: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
