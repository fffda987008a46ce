import { expect, test } from 'vitest';
import { functionConfig } from '../../../lib/config/functions.ts';

const config = (env: Record<string, string>) =>
  functionConfig({
    NOTEBURST_REDIS_URL: 'redis://redis',
    NOTEBURST_ENVIRONMENT_URL: 'https://data.example.org/',
    NOTEBURST_GAFAELFAWR_URL: 'https://data.example.org/auth/api/v1',
    ...env,
  });

test('callers find the API below the platform’s URL, and nobody can ask for callbacks', () => {
  expect(config({})).toMatchObject({
    apiUrl: 'https://data.example.org/noteburst/v1',
    courierQueue: 'courier',
    allowedHosts: [],
  });
});

test('the courier has a queue of its own', () => {
  expect(() => config({ NOTEBURST_WORKER_QUEUE_NAME: 'courier' })).toThrow(
    'NOTEBURST_COURIER_QUEUE_NAME: is the name of a pool’s queue',
  );
});

test.each(['callback', 'callbacks', 'target'])('no queue is called %s, as keys are', (name) => {
  for (const variable of ['NOTEBURST_WORKER_QUEUE_NAME', 'NOTEBURST_COURIER_QUEUE_NAME'])
    expect(() => config({ [variable]: name })).toThrow(
      `${variable}: is a name that other keys in Redis have`,
    );
});
