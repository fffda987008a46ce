import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ExecutorState } from '../../../workers/executor/executor-state.ts';
import { healthServer } from '../../../workers/executor/health.ts';
import { ExecutorMetrics } from '../../../workers/executor/metrics.ts';

const metrics = new ExecutorMetrics();
let state: ExecutorState = 'idle';
const server = healthServer(() => state, metrics);

beforeEach(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => void server.close());

const get = (path: string) => fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);

test.each([
  ['waiting', 503, 200],
  ['warming', 503, 200],
  ['ready', 200, 200],
  ['running', 200, 200],
  ['draining', 503, 200],
  ['evicted', 503, 503],
] as const)('an executor that is %s: ready %i, live %i', async (now, ready, live) => {
  state = now;
  const answers = await Promise.all([get('/health/ready'), get('/health/live')]);
  expect(answers.map(({ status }) => status)).toEqual([ready, live]);
  await expect(answers[0].json()).resolves.toEqual({ state: now });
});

test('what is counted can be scraped', async () => {
  metrics.stateTransitions.inc({ from: 'ready', to: 'running' });
  const answer = await get('/metrics');
  expect(answer.headers.get('content-type')).toMatch('text/plain');
  expect(await answer.text()).toContain(
    'noteburst_executor_state_transitions_total{from="ready",to="running"} 1',
  );
  expect((await get('/elsewhere')).status).toBe(404);
});
