import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { exitCodeOf } from '../../../cli/exit-code.ts';
import { refusal, UnreachableError } from '../../../client/client-error.ts';
import type { ErrorReason } from '../../../lib/contract/execution-error.ts';
import type { NotebookResponse } from '../../../lib/contract/notebooks-api.ts';
import { runSuite, type SuiteClient } from '../../../suite/run-suite.ts';

const dir = mkdtempSync(join(tmpdir(), 'noteburst-run-'));
afterAll(() => rmSync(dir, { recursive: true }));
const file = join(dir, 'a.ipynb');
writeFileSync(file, '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}');

const JOB: NotebookResponse = {
  job_id: 'nbexec-1',
  kernel_name: 'lsst',
  enqueue_time: '2026-01-01T00:00:00Z',
  status: 'complete',
  self_url: 'https://data.example.org/noteburst/v1/notebooks/nbexec-1',
  timeout: 300,
  phase: 'completed',
  success: true,
};
const detail = (type: string, ...loc: string[]) => JSON.stringify({ detail: [{ type, msg: 'No', loc }] });
const ended = (reason: ErrorReason) => ({
  ...JOB,
  success: false,
  error: { code: 'jupyter_error' as const, reason, message: 'It ended' },
});

/** A service that answers the submissions one after the other: with a job that has ended so, or with a refusal. */
function service(answers: (NotebookResponse | Error)[]): SuiteClient {
  const jobs = new Map<string, NotebookResponse>();
  return {
    submit: async () => {
      const answer = answers[jobs.size] as NotebookResponse | Error;
      const id = `job-${jobs.size}`;
      jobs.set(id, JOB);
      if (answer instanceof Error) throw answer;
      jobs.set(id, answer);
      return { ...JOB, job_id: id };
    },
    wait: async (id) => jobs.get(id) as NotebookResponse,
    events: async function* () {},
    cancel: async () => JOB,
    pageOf: (id) => `https://data.example.org/noteburst/v1/notebooks/${id}`,
  };
}

async function run(answers: (NotebookResponse | Error)[], failFast = false) {
  const cases = answers.map((_, n) => ({ name: `${n}.ipynb`, path: `${n}.ipynb`, file, options: {} }));
  const { signal } = new AbortController();
  const results = await runSuite({ client: service(answers), cases, atOnce: 1, failFast, signal });
  return {
    told: results.map(({ verdict, failure }) => failure?.reason ?? verdict),
    code: exitCodeOf(results, false),
  };
}

const image = refusal(422, detail('unknown_pool', 'body', 'image'));
const broken = refusal(422, detail('value_error', 'body', 'ipynb'));

describe('the exit code', () => {
  test.each([
    ['an image that there is not', image, 'wrong_option', 2],
    ['a timeout above the maximum', refusal(422, detail('too_big', 'body', 'timeout')), 'wrong_option', 2],
    ['a kernel that there is not', ended('unknown_kernel'), 'unknown_kernel', 2],
    ['a notebook that is none', broken, 'refused', 1],
    ['a body that is no JSON to the service', refusal(422, detail('json_invalid', 'body')), 'refused', 1],
    ['a notebook that is too large', refusal(413, ''), 'refused', 1],
    ['a notebook that kills its kernel', ended('kernel_died'), 'kernel_died', 1],
    ['a token that is refused', refusal(401, ''), 'refused', 3],
    ['a lab that is lost', ended('lab_lost'), 'lab_lost', 3],
    [
      'a key of another submission',
      refusal(422, detail('idempotency_key_reused', 'header', 'Idempotency-Key')),
      'refused',
      3,
    ],
  ])('of %s', async (_what, answer, reason, code) => {
    expect(await run([answer])).toEqual({ told: [reason], code });
  });

  test('is that of what will be there the next time', async () => {
    expect(await run([image, ended('lab_lost')])).toMatchObject({ code: 2 });
    expect(await run([image, broken])).toMatchObject({ code: 1 });
  });
});

test('wrong options of one keep no other from being run, unless one is to stop all', async () => {
  const answers = [image, JOB, ended('unknown_kernel'), JOB];
  expect(await run(answers)).toEqual({
    told: ['wrong_option', 'passed', 'unknown_kernel', 'passed'],
    code: 2,
  });
  expect(await run(answers, true)).toEqual({
    told: ['wrong_option', 'skipped', 'skipped', 'skipped'],
    code: 2,
  });
});

test.each([
  ['refuses', refusal(401, ''), 'refused'],
  ['cannot be reached', new UnreachableError('No answer'), 'unreachable'],
  ['runs nothing', ended('expired'), 'expired'],
])('where the service %s no more is begun', async (_what, answer, reason) => {
  expect(await run([answer, JOB])).toEqual({ told: [reason, 'skipped'], code: 3 });
});

test.each(['lab_lost', 'executor_lost'] as const)(
  'one that takes its lab with it keeps no other from being run: %s',
  async (reason) => {
    expect(await run([ended(reason), JOB])).toEqual({ told: [reason, 'passed'], code: 3 });
  },
);
