import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Submission } from '../../../lib/queue/admission.ts';
import { ipynb } from '../../support/notebooks.ts';
import { SubmitClient } from '../../support/submit-client.ts';

let client: SubmitClient;
let asked: Submission[];
beforeEach(async () => {
  const weekly = { queueName: 'weekly', image: 'latest-weekly', size: 'Small' } as const;
  client = await SubmitClient.start([weekly]);
  ({ asked } = client.parts);
});
afterEach(() => client[Symbol.asyncDispose]());

const submit = (body: object, headers = {}) =>
  client.submitText(JSON.stringify({ ipynb: ipynb(), ...body }), headers);

test.each([
  [{}, /^nbexec-/],
  [{ image: null, size: null }, /^nbexec-/],
  [{ image: 'recommended', size: 'Large' }, /^nbexec-/],
  [{ image: 'latest-weekly' }, /^weekly-/],
  [{ size: 'Small' }, /^weekly-/],
])('%j chooses the pool', async (body, id) => {
  const { status, json } = await submit(body);
  expect(status).toBe(202);
  expect(json['job_id']).toMatch(id);
});

test.each([
  [{ image: 'canary' }, 'image', 'No notebooks are run with this image'],
  [{ image: 'canary', size: 'Small' }, 'image', 'No notebooks are run with this image'],
  [{ image: 'recommended', size: 'Small' }, 'size', 'No notebooks are run with this size of this image'],
  [{ size: 'canary' }, 'size', 'No notebooks are run with this size of this image'],
])('%j is a 422 that lists the pools', async (body, field, why) => {
  const { status, json } = await submit(body);
  const msg = `${why}; there are recommended (Large), latest-weekly (Small)`;
  expect(json.detail).toEqual([{ type: 'unknown_pool', loc: ['body', field], msg }]);
  expect(status).toBe(422);
  expect(asked).toEqual([]);
});

test.each([
  [{ image: 1 }, ['body', 'image']],
  [{ size: ['Small'] }, ['body', 'size']],
  [{ image: 'x'.repeat(501) }, ['body', 'image']],
])('%j is a 422', async (body, loc) => {
  const { status, json } = await submit(body);
  expect([status, json.detail?.[0]?.loc]).toEqual([422, loc]);
});

test('for an idempotency key the pool counts, not how it was named', async () => {
  const bodies = [{}, { image: 'recommended' }, { size: 'Large' }, { size: 'Small' }];
  for (const body of bodies) await submit(body, { 'Idempotency-Key': 'a' });
  const [one, two, three, other] = asked.map(({ idempotency }) => idempotency?.fingerprint);
  expect([two, three]).toEqual([one, one]);
  expect(other).not.toBe(one);
});
