import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WEBHOOK_BODIES } from '../../functions/github/webhook.ts';
import { githubHandler } from '../../functions/github/github.ts';
import { suitesQueueOf } from '../../lib/contract/courier-job.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { CallerCheck } from '../../lib/http/caller.ts';
import { requestRedis, untilReady } from '../../lib/queue/redis.ts';
import { SuiteQueue } from '../../lib/queue/suite-queue.ts';
import { SuiteRuns } from '../../lib/queue/suite-runs.ts';
import { PATH_PREFIX, SCOPE, serve, tokenCheck, type TestServer } from '../support/function-server.ts';
import { delivery, pullRequestDelivery, pushDelivery, recorded } from '../support/github-deliveries.ts';
import { redisOfFile } from '../support/redis.ts';

const REPOSITORY = 'team/tutorials';
const COMMIT = 'c'.repeat(40);
const SCHEDULE_SECRET = 'a schedule that is a canary';

const file = await redisOfFile();
let stack: AsyncDisposableStack;
let redis: Redis;
let queue: Queue;
let schedules: Queue;
let server: TestServer;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  await file.redis.flushdb();
  const courierQueue = file.newQueueName();
  redis = requestRedis(file.url);
  redis.on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  await untilReady(redis, 5_000);
  const own = new SuiteQueue(courierQueue, redis, () => undefined);
  stack.defer(() => own.close());
  const common = { connection: redis, prefix: KEY_PREFIX };
  queue = new Queue(suitesQueueOf(courierQueue), common);
  stack.defer(() => queue.close());
  schedules = new Queue(courierQueue, common);
  stack.defer(() => schedules.close());
  server = stack.use(
    await serve(
      githubHandler({
        pathPrefix: PATH_PREFIX,
        queue: own,
        runs: new SuiteRuns(redis),
        repositories: [REPOSITORY, 'other/*'],
        webhookSecrets: ['the secret of before now', 'a secret that is a canary'],
        scheduleSecrets: [SCHEDULE_SECRET],
        callers: new CallerCheck(tokenCheck, SCOPE),
        reportsUrl: 'https://data.example.org/noteburst/github',
      }),
      undefined,
      {},
      WEBHOOK_BODIES,
    ),
  );
});
afterEach(() => stack.disposeAsync());

const github = (path: string, init: RequestInit = {}) =>
  fetch(`${server.url}${PATH_PREFIX}/github${path}`, init);
const send = (...args: Parameters<typeof delivery>) => github('/webhook', delivery(...args));
const jobs = async (of = queue) =>
  (await of.getJobs()).map(({ name, id, data }) => ({ name, id, data: data as object }));
const keys = async () => (await redis.keys(`${KEY_PREFIX}:github:*`)).length;
const said = async (response: Response) => [
  response.status,
  ((await response.json()) as { status: string }).status,
];

describe('what GitHub tells', () => {
  test('a push asks for a run of that commit, and the queue has no more of it than is needed', async () => {
    expect(await said(await send('push', pushDelivery(REPOSITORY, COMMIT)))).toEqual([202, 'accepted']);
    const [job, ...others] = await jobs();
    expect(others).toEqual([]);
    expect(job).toEqual({
      name: 'suite',
      id: expect.stringMatching(/^suite-[0-9a-f]{32}$/),
      data: {
        version: 1,
        run: job?.id?.slice('suite-'.length),
        event: 'push',
        repository: REPOSITORY,
        commit: COMMIT,
        installation: 55,
        branch: 'main',
        base: 'main',
      },
    });
  });

  test('a merge asks for a run of what was merged, once, whether it or its push is told first', async () => {
    const merge = pullRequestDelivery(REPOSITORY, COMMIT, { action: 'closed', merged: true });
    expect(await said(await send('pull_request', merge))).toEqual([202, 'accepted']);
    expect(await said(await send('push', pushDelivery(REPOSITORY, COMMIT)))).toEqual([202, 'known']);
    expect(await jobs()).toMatchObject([
      { data: { event: 'merge', commit: COMMIT, branch: 'main', pull_request: 7 } },
    ]);
  });

  test('a pull request asks for a run of its head', async () => {
    await send('pull_request', pullRequestDelivery(REPOSITORY, COMMIT));
    expect(await jobs()).toMatchObject([
      {
        data: {
          event: 'pull_request',
          commit: COMMIT,
          branch: 'tickets/DM-1',
          base: 'main',
          pull_request: 7,
        },
      },
    ]);
  });

  test.each<[string, object, string]>([
    ...recorded('ping').map((payload): [string, object, string] => ['ping', payload, 'ignored']),
    ['issues', { action: 'opened' }, 'ignored'],
    ['push', pushDelivery(REPOSITORY, COMMIT, { ref: 'refs/tags/v1' }), 'ignored'],
    ['push', pushDelivery(REPOSITORY, '0'.repeat(40), { deleted: true }), 'ignored'],
    ['pull_request', pullRequestDelivery(REPOSITORY, COMMIT, { action: 'closed' }), 'ignored'],
    ['pull_request', pullRequestDelivery(REPOSITORY, COMMIT, { action: 'labeled' }), 'ignored'],
    ['pull_request', pullRequestDelivery(REPOSITORY, COMMIT, { from: 'stranger/tutorials' }), 'ignored'],
    ['push', pushDelivery('stranger/tutorials', COMMIT), 'not configured'],
  ])('%s that asks for nothing: %#', async (event, payload, answer) => {
    expect(await said(await send(event, payload))).toEqual([202, answer]);
    expect(await jobs()).toEqual([]);
    expect(await keys()).toBe(0);
  });

  test('the other secret counts, too, and names in any case', async () => {
    const payload = pushDelivery('Other/Notes', COMMIT);
    expect((await send('push', payload, { secret: 'the secret of before now' })).status).toBe(202);
    expect(await jobs()).toHaveLength(1);
  });
});

describe('what GitHub has not told is refused, and leaves no trace but a line in the log', () => {
  const good = () => delivery('push', pushDelivery(REPOSITORY, COMMIT));
  const forged: [string, number, (request: ReturnType<typeof good>) => object][] = [
    ['another secret', 401, () => delivery('push', pushDelivery(REPOSITORY, COMMIT), { secret: 'guessed' })],
    ['another body', 401, ({ body }) => ({ body: body.replace('"deleted":false', '"deleted":true ') })],
    ['a byte more', 401, ({ body }) => ({ body: `${body} ` })],
    ['bytes that are no text', 401, () => ({ body: Buffer.from([0xff, 0xfe, 0x22]) })],
    ['no body', 401, () => ({ body: '' })],
    ['no signature', 401, ({ headers }) => ({ headers: { ...headers, 'X-Hub-Signature-256': '' } })],
    [
      'a short signature',
      401,
      ({ headers }) => ({ headers: { ...headers, 'X-Hub-Signature-256': 'sha256=00' } }),
    ],
    [
      'the weaker signature alone',
      401,
      ({ headers: { 'X-Hub-Signature-256': signature = '', ...headers } }) => ({
        headers: { ...headers, 'X-Hub-Signature': signature },
      }),
    ],
    [
      'a form',
      415,
      ({ headers }) => ({ headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' } }),
    ],
  ];
  test.each(forged)('%s', async (_, status, change) => {
    const request = good();
    const response = await github('/webhook', { ...request, ...change(request) });
    expect(response.status).toBe(status);
    expect(await jobs()).toEqual([]);
    expect(await keys()).toBe(0);
    const lines = server.lines.filter((line) => line.includes('delivery refused'));
    expect(lines).toHaveLength(1);
    expect(server.lines.join('')).not.toContain('canary');
  });

  test('nothing is inflated, nor read beyond what GitHub sends', async () => {
    const { headers, body, method } = good();
    // Signed as it was before: inflated, it would be taken.
    const packed = { method, headers: { ...headers, 'Content-Encoding': 'gzip' }, body: gzipSync(body) };
    const refused = await github('/webhook', packed);
    expect([refused.status, refused.headers.get('accept-encoding')]).toEqual([415, 'identity']);
    const large = { method, headers, body: Buffer.alloc(WEBHOOK_BODIES.maxBytes + 1, ' ') };
    expect((await github('/webhook', large)).status).toBe(413);
    expect(await jobs()).toEqual([]);
  });

  test('a delivery that was taken before, whatever id it is given', async () => {
    const request = good();
    expect((await github('/webhook', request)).status).toBe(202);
    const [job] = await queue.getJobs();
    await job?.remove();
    const before = await keys();
    for (const id of [request.headers['X-GitHub-Delivery'], crypto.randomUUID()]) {
      const headers = { ...request.headers, 'X-GitHub-Delivery': id as string };
      expect((await github('/webhook', { ...request, headers })).status).toBe(409);
    }
    expect(await jobs()).toEqual([]);
    expect(await keys()).toBe(before);
    expect(server.lines.filter((line) => line.includes('delivered before'))).toHaveLength(2);
  });

  test('nor is one taken twice that told of a run that was known', async () => {
    const merge = pullRequestDelivery(REPOSITORY, COMMIT, { action: 'closed', merged: true });
    expect((await send('pull_request', merge)).status).toBe(202);
    const push = good();
    expect(await said(await github('/webhook', push))).toEqual([202, 'known']);
    expect((await github('/webhook', push)).status).toBe(409);
    expect(await jobs()).toHaveLength(1);
  });

  test('several times at once it is taken once', async () => {
    const request = good();
    const statuses = await Promise.all(
      Array.from({ length: 5 }, async () => (await github('/webhook', request)).status),
    );
    expect(statuses).toContain(202);
    expect(await jobs()).toHaveLength(1);
  });

  test.each([
    ['long ago', -4 * 86_400],
    ['in the future', 3_600],
  ])('what GitHub signed %s', async (_, seconds) => {
    const payload = pushDelivery(REPOSITORY, COMMIT);
    payload.repository.pushed_at += seconds;
    expect((await send('push', payload)).status).toBe(409);
    expect(await keys()).toBe(0);
  });

  test.each([
    ['no JSON', 'push', '{'],
    ['no push', 'push', '{"ref": 1}'],
    ['a commit that is none', 'push', JSON.stringify(pushDelivery(REPOSITORY, '--upload-pack=x'))],
    [
      'an installation that is none',
      'push',
      JSON.stringify(pushDelivery(REPOSITORY, COMMIT, { installation: {} })),
    ],
  ])('%s, though it is signed', async (_, event, body) => {
    expect((await github('/webhook', delivery(event, body))).status).toBe(422);
    expect(await keys()).toBe(0);
  });

  test('without Redis it is not taken, and may come again', async () => {
    const request = good();
    redis.disconnect();
    await once(redis, 'end');
    expect((await github('/webhook', request)).status).toBe(503);
    await redis.connect();
    await untilReady(redis, 5_000);
    expect((await github('/webhook', request)).status).toBe(202);
    expect(await jobs()).toHaveLength(1);
  });
});

describe('what the clock tells', () => {
  const tell = (token: string) =>
    github('/scheduled', { method: 'POST', headers: { Authorization: `Bearer ${token}` }, body: '' });

  test('has the courier look at schedules, once in a minute', async () => {
    const statuses = [(await tell(SCHEDULE_SECRET)).status, (await tell(SCHEDULE_SECRET)).status];
    expect(statuses).toEqual([202, 202]);
    const found = await jobs(schedules);
    // The minute may have ended in between.
    expect(new Set(found.map(({ name }) => name))).toEqual(new Set(['schedules']));
    expect(new Set(found.map(({ id }) => id)).size).toBe(found.length);
    expect(found[0]?.data).toEqual({ version: 1, at_ms: expect.any(Number) });
  });

  test.each(['', 'guessed', `${SCHEDULE_SECRET}x`])('is refused from others: "%s"', async (token) => {
    expect((await tell(token)).status).toBe(401);
    expect(await jobs(schedules)).toEqual([]);
  });
});
