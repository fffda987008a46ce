import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';

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
