/** What `wait` tells of ends that a healthy platform seldom has; the service answers as each test says. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { json } from '../support/fake-http.ts';
import { Command } from './support/command.ts';

const command = new Command();
let ending: object;
const service = createServer((_request, response) =>
  json(response, 200, {
    job_id: 'nbexec-1',
    kernel_name: 'lsst',
    enqueue_time: '2026-01-01T00:00:00Z',
    status: 'complete',
    self_url: 'https://data.example.org/noteburst/v1/notebooks/nbexec-1',
    timeout: 300,
    phase: 'completed',
    ...ending,
  }),
);
beforeAll(async () => {
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
});
afterAll(async () => {
  service.closeAllConnections();
  service.close();
  await once(service, 'close');
});

const error = (reason: string, code = 'jupyter_error') => ({ error: { code, reason, message: 'so it was' } });

test.each([
  ['well', {}, 0],
  ['an exception', { ipynb_error: { name: 'ValueError', message: 'no' } }, 1],
  ['a timeout', error('run_timeout', 'timeout'), 1],
  ['a dead kernel', error('kernel_died'), 1],
  ['a lost lab', error('lab_lost'), 3],
  ['a lost executor', error('executor_lost'), 3],
  ['a job that expired', error('expired', 'timeout'), 3],
  ['a cancelled job', error('cancelled', 'unknown'), 3],
])('%s', async (_what, given, code) => {
  ending = given;
  const { port } = service.address() as AddressInfo;
  const env = { NOTEBURST_BASE_URL: `http://127.0.0.1:${port}` };
  expect(await command.run(['wait', 'nbexec-1'], { env })).toMatchObject({ code, stderr: '' });
});
