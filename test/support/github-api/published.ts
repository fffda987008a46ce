/** What GitHub publishes of its API, by `extract.ts`: the fake is held against it, and so is what it is asked. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';

interface Operation {
  body?: object;
  /** Of an answer to what could be done. */
  status: number;
  answer: object;
  /** Recorded ones, by name. */
  examples: Record<string, Record<string, unknown>>;
}

const published = JSON.parse(readFileSync(join(import.meta.dirname, 'published.json'), 'utf8')) as {
  operations: Record<string, Operation>;
  schemas: object;
};
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats.default(ajv);
const validators = new Map<object, ValidateFunction>();

function problemOf(schema: object, value: unknown): string | undefined {
  const known = validators.get(schema);
  const validate = known ?? ajv.compile({ ...schema, schemas: published.schemas });
  validators.set(schema, validate);
  return validate(value) ? undefined : ajv.errorsText(validate.errors);
}

/** By its route, such as `GET /repos/{owner}/{repo}`. */
export function operation(route: string): Operation {
  const found = published.operations[route];
  if (!found) throw new Error(`${route} is not in published.json`);
  return found;
}

/** A recorded answer, in which tests put their own values. @param name of several, which */
export function example(route: string, name?: string): Record<string, unknown> {
  const { examples } = operation(route);
  const found = name === undefined ? Object.values(examples)[0] : examples[name];
  if (!found) throw new Error(`${route} has no such example`);
  return structuredClone(found);
}

/** @returns undefined for a body that GitHub takes */
export function problemOfBody(route: string, body: unknown): string | undefined {
  const { body: schema } = operation(route);
  return schema && problemOf(schema, body);
}

/** @throws when GitHub's answer would not look like that */
export function assertAnswer(route: string, { status, json }: { status: number; json?: unknown }): void {
  const { status: done, answer } = operation(route);
  const problem = status === done ? problemOf(answer, json) : `${status} in the place of ${done}`;
  if (problem !== undefined) throw new Error(`GitHub does not answer ${route} like that: ${problem}`);
}
