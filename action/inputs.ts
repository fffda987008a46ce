/** What the workflow asks for: the inputs of action.yml. */
import { getInput, getMultilineInput } from '@actions/core';
import { readParameters } from '../suite/parameters.ts';
import { runOptions, type RunOptions } from '../suite/suite-file.ts';
import type { TokenExchange } from './token-exchange.ts';

export interface Inputs {
  baseUrl: string;
  /** Undefined when it is to be had from the exchange. */
  token: string | undefined;
  exchange: TokenExchange | undefined;
  paths: string[];
  suite: string | undefined;
  exclude: string[];
  changedOnly: boolean;
  options: RunOptions;
  jobs: number;
  failFast: boolean;
  previous: string | undefined;
  /** The folder with the last good run of each. */
  baseline: string | undefined;
  /** Undefined when nothing is to be uploaded. */
  artifact: string | undefined;
}

/** What is wrong with the step in the workflow; the message says what to do. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** @throws {InputError} */
export function readInputs(): Inputs {
  return {
    baseUrl: address('base-url') ?? missing('base-url'),
    token: token(),
    exchange: exchange(),
    paths: lines('paths'),
    suite: text('suite'),
    exclude: lines('exclude'),
    changedOnly: flag('changed-only') ?? false,
    options: options(),
    jobs: count('jobs') ?? 20,
    failFast: flag('fail-fast') ?? false,
    previous: text('previous'),
    baseline: text('baseline'),
    artifact: text('artifact'),
  };
}

/** An input that is empty is one that is not given: workflows pass on what may be unset. */
const text = (name: string): string | undefined => getInput(name) || undefined;
const lines = (name: string): string[] => getMultilineInput(name).filter((line) => line !== '');

function missing(name: string): never {
  throw new InputError(`The input ${name} is missing`);
}

function address(name: string): string | undefined {
  const value = text(name);
  if (value === undefined) return undefined;
  const url = URL.parse(value);
  const isLocal = url?.hostname === '127.0.0.1' || url?.hostname === 'localhost';
  // Tokens go there.
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal)) return value;
  throw new InputError(`The input ${name} should be an https address, such as https://data.example.org/…`);
}

function token(): string | undefined {
  const value = text('token');
  if (value === undefined || /^[!-~]+$/.test(value)) return value;
  throw new InputError('The input token is no token: there are blanks or line breaks in it');
}

function exchange(): TokenExchange | undefined {
  const url = address('token-exchange-url');
  const audience = text('audience');
  if (url === undefined && audience === undefined) return undefined;
  return { url: url ?? missing('token-exchange-url'), audience: audience ?? missing('audience') };
}

function flag(name: string): boolean | undefined {
  const value = text(name)?.toLowerCase();
  if (value === undefined) return undefined;
  if (value === 'true' || value === 'false') return value === 'true';
  throw new InputError(`The input ${name} should be true or false`);
}

function count(name: string): number | undefined {
  const value = text(name);
  if (value === undefined) return undefined;
  if (/^[1-9]\d{0,3}$/.test(value)) return Number(value);
  throw new InputError(`The input ${name} should be a number from 1`);
}

function options(): RunOptions {
  const retry = flag('retry');
  const given = {
    kernel: text('kernel'),
    image: text('image'),
    size: text('size'),
    timeout: text('timeout'),
    cell_timeout: text('cell-timeout'),
    priority: text('priority'),
    // Only what differs from the service's own way is said, so that the suite file may say it, too.
    retry: retry === false ? false : undefined,
    parameters: parameters(),
  };
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  const { data, error } = runOptions.safeParse(Object.fromEntries(set));
  if (data) return data;
  const [issue] = error.issues;
  const [name, ...inner] = issue?.path ?? [];
  throw new InputError([`The input ${String(name).replace('_', '-')}`, ...inner, issue?.message].join(': '));
}

/** As they are written. */
function parameters(): Record<string, unknown> | undefined {
  const value = text('parameters');
  if (value === undefined) return undefined;
  try {
    return readParameters(value);
  } catch (error) {
    throw new InputError(`The input parameters: ${(error as Error).message}`);
  }
}
