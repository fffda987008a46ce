/** docs/examples/webhook.sh as it stands, against the function as its process runs. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { githubHandler } from '../../functions/github/github.ts';
import { WEBHOOK_BODIES } from '../../functions/github/webhook.ts';
import { CallerCheck } from '../../lib/http/caller.ts';
import { requestRedis, untilReady } from '../../lib/queue/redis.ts';
import { SuiteQueue } from '../../lib/queue/suite-queue.ts';
import { SuiteRuns } from '../../lib/queue/suite-runs.ts';
import { ROOT } from '../../platform/state.ts';
import { PATH_PREFIX, SCOPE, serve, tokenCheck } from '../support/function-server.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const SECRET = 'a secret that is a canary';

/** A folder with programs that note their arguments in a file and are then themselves. */
function noting(dir: string): { path: string; log: string } {
  const log = join(dir, 'arguments');
  const path = process.env['PATH'] ?? '';
  for (const name of ['curl', 'date', 'openssl', 'python3']) {
    const file = join(dir, name);
    writeFileSync(file, `#!/bin/sh\necho "${name} $*" >> '${log}'\nPATH='${path}' exec ${name} "$@"\n`);
    chmodSync(file, 0o755);
  }
  return { path: `${dir}:${path}`, log };
}

test('a push is told with curl: taken once, and not with another secret', async () => {
  await using stack = new AsyncDisposableStack();
  const redis = requestRedis(file.url).on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  await untilReady(redis, 5_000);
  const queue = new SuiteQueue(file.newQueueName(), redis, () => undefined);
  stack.defer(() => queue.close());
  const handler = githubHandler({
    pathPrefix: PATH_PREFIX,
    queue,
    runs: new SuiteRuns(redis),
    repositories: ['team/tutorials'],
    webhookSecrets: [SECRET],
    scheduleSecrets: [],
    callers: new CallerCheck(tokenCheck, SCOPE),
    reportsUrl: '',
  });
  const server = stack.use(await serve(handler, undefined, {}, WEBHOOK_BODIES));
  const dir = mkdtempSync(join(tmpdir(), 'noteburst-webhook-'));
  stack.defer(() => rmSync(dir, { recursive: true }));
  const { path, log } = noting(dir);
  const tell = async (repository: string, secret = SECRET) => {
    const script = join(ROOT, 'docs/examples/webhook.sh');
    const env = {
      ...process.env,
      PATH: path,
      NOTEBURST_BASE_URL: `${server.url}${PATH_PREFIX}`,
      WEBHOOK_SECRET: secret,
    };
    const args = [script, repository, 'c'.repeat(40)];
    const { stdout } = await promisify(execFile)('bash', args, { env, timeout: 15_000 });
    return stdout;
  };
  expect(await tell('team/tutorials')).toBe('{"status":"accepted"}');
  expect(await tell('someone/else')).toBe('{"status":"not configured"}');
  await expect(tell('team/tutorials', 'another secret of theirs')).rejects.toMatchObject({
    stdout: expect.stringContaining('The signature is not right'),
  });
  const seen = readFileSync(log, 'utf8');
  expect(seen).toContain('curl --silent');
  expect(seen).not.toContain(SECRET);
});
