import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { functionConfig } from '../../lib/config/functions.ts';
import { leaseRedis, requestRedis, untilReady, watchRedis, workerRedis } from '../../lib/queue/redis.ts';
import { redisOfFile } from '../support/redis.ts';
import { PrivateCa, tlsProxy } from '../support/tls-proxy.ts';

const file = await redisOfFile();
let ca: PrivateCa;
let stack: AsyncDisposableStack;
beforeAll(async () => void (ca = await PrivateCa.make()), 30_000);
afterAll(() => ca[Symbol.dispose]());
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

/** A client as a process with this environment has it, of a server whose certificate is for `localhost`. */
async function client(host: string, env: Record<string, string>, kind = requestRedis): Promise<Redis> {
  const proxy = stack.use(await tlsProxy(file.url, ca.server));
  const { redis: setup } = functionConfig({
    NOTEBURST_REDIS_URL: `rediss://${host}:${proxy.port}${new URL(file.url).pathname}`,
    NOTEBURST_ENVIRONMENT_URL: 'https://data.example.org',
    NOTEBURST_GAFAELFAWR_URL: 'https://data.example.org/auth/api/v1',
    ...env,
  });
  return stack.adopt(kind(setup), (redis) => redis.disconnect());
}

const refusal = (redis: Redis): Promise<Error> => new Promise((resolve) => redis.once('error', resolve));

test.each([requestRedis, workerRedis, watchRedis, leaseRedis])(
  'a certificate of a private CA is taken where the CA is named (%o)',
  async (kind) => {
    const redis = await client('localhost', { NOTEBURST_REDIS_CA_PATH: ca.path }, kind);
    await untilReady(redis, 5_000);
    expect(await redis.ping()).toBe('PONG');
    // BullMQ makes its second connection like this.
    const second = stack.adopt(redis.duplicate(), (other) => other.disconnect());
    expect(await second.ping().catch(() => untilReady(second, 5_000).then(() => second.ping()))).toBe('PONG');
  },
);

test('it is refused where the CA is not named, or another is', async () => {
  expect((await refusal(await client('localhost', {}))).message).toMatch(/unable to verify|self-signed/);
  const other = await client('localhost', { NOTEBURST_REDIS_CA_PATH: ca.otherPath });
  expect((await refusal(other)).message).toMatch(/unable to verify|self-signed/);
});

test('it is refused where it is not for the host that is meant', async () => {
  const redis = await client('127.0.0.1', { NOTEBURST_REDIS_CA_PATH: ca.path });
  expect((await refusal(redis)).message).toContain("does not match certificate's altnames");
});
