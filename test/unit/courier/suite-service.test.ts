import { expect, test } from 'vitest';
import type { NoteburstClient } from '../../../client/client.ts';
import type { ErrorReason } from '../../../lib/contract/execution-error.ts';
import type { NotebookResponse } from '../../../lib/contract/notebooks-api.ts';
import type { CaseResult } from '../../../suite/report.ts';
import { RetryLaterError } from '../../../workers/courier/errors.ts';
import { SuiteService } from '../../../workers/courier/suites/suite-service.ts';
import { Turns } from '../../../workers/courier/turns.ts';
import { capturedLog } from '../../support/log.ts';

/** A service whose jobs have all ended so, after a notebook was submitted to it: lost, and lost again. */
async function afterTwo(reason: ErrorReason): Promise<SuiteService> {
  const error = { code: 'unknown', reason, message: 'It ended' };
  const submit = async (_: unknown, { idempotencyKey }: { idempotencyKey?: string }) =>
    ({ job_id: `job-of-${idempotencyKey}`, error }) as NotebookResponse;
  const client = { submit } as unknown as NoteburstClient;
  const { log } = capturedLog();
  const service = new SuiteService({ client, turns: new Turns(), mayCancel: () => false, log });
  await service.submit({ ipynb: '{}' }, { idempotencyKey: 'key' });
  return service;
}

const result = (more: Partial<CaseResult>): CaseResult => ({
  name: 'a',
  path: 'a',
  verdict: 'error',
  failure: { reason: 'lab_lost', message: 'It ended' },
  ...more,
});

test.each([
  ['a notebook that was lost once', result({ job_id: 'job-of-another-key' })],
  ['one that was never taken', result({ failure: { reason: 'refused', message: 'no' } })],
  [
    'one that is not known to have ended',
    result({ job_id: 'job-of-key-again', failure: { reason: 'unreachable', message: 'no' } }),
  ],
  ['one that was not begun', result({ verdict: 'skipped' })],
])('%s is left to another attempt', async (_, open) => {
  const service = await afterTwo('lab_lost');
  const over = result({ job_id: 'job-of-key-again' });
  expect(() => service.assertRun([over, open])).toThrow(RetryLaterError);
});

test.each([
  ['lost twice', result({ job_id: 'job-of-key-again' })],
  ['asked for wrongly', result({ failure: { reason: 'wrong_option', message: 'no' } })],
  ['without its kernel', result({ job_id: 'x', failure: { reason: 'unknown_kernel', message: 'no' } })],
  ['failed', result({ verdict: 'failed' })],
])('no other attempt for one that is %s', async (_, over) => {
  const service = await afterTwo('executor_lost');
  expect(() => service.assertRun([over])).not.toThrow();
});
