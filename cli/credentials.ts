import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { UsageError } from './exit-code.ts';

const credentials = z.object({ base_url: z.string(), token: z.string() });
export type Credentials = z.infer<typeof credentials>;

/** Where `noteburst login` keeps what it was told (XDG Base Directory). */
export function credentialsPath(): string {
  const config = process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
  return join(config, 'noteburst', 'credentials.json');
}

export function readCredentials(): Credentials | undefined {
  let text: string;
  try {
    text = readFileSync(credentialsPath(), 'utf8');
  } catch {
    return undefined;
  }
  try {
    return credentials.parse(JSON.parse(text));
  } catch {
    throw new UsageError(`${credentialsPath()} cannot be read. Log in again: noteburst login`);
  }
}

/** Writes them for the user's own eyes, whatever mode an older file has. */
export function writeCredentials(value: Credentials): void {
  const path = credentialsPath();
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const whole = `${path}.${crypto.randomUUID()}`;
  try {
    writeFileSync(whole, `${JSON.stringify(value)}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(whole, path);
  } finally {
    rmSync(whole, { force: true });
  }
}
