import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SpawnFailedError } from '../../../workers/executor/lab/errors.ts';
import { leftoverEpoch, stopLeftoverLab } from '../../../workers/executor/lab/leftover-lab.ts';
import { startLab, type StartLabOptions } from '../../../workers/executor/lab/start-lab.ts';
import { FakeHub } from '../../support/fake-hub.ts';
import { FakeLab } from '../../support/fake-lab.ts';

let fake: FakeHub;
let lines: string[];
let options: StartLabOptions;

beforeEach(async () => {
  fake = await new FakeHub().start();
  lines = [];
  options = {
    hubUrl: fake.url,
    username: fake.username,
    token: fake.token,
    image: { selector: 'recommended' },
    size: 'Large',
    epoch: 5,
    signal: AbortSignal.timeout(60_000),
    logger: pino({ base: null }, { write: (line: string) => void lines.push(line) }),
  };
});

afterEach(() => fake.stop());

test('stops the leftover first, spawns, logs in, and stops again', async () => {
  const leftover = (fake.lab = new FakeLab(fake.username));
  const started = await startLab(options);
  expect(fake.lab).not.toBe(leftover);
  expect(started.lab.started).toBe(fake.lab.started);
  const actions = fake.calls.map((call) => call.action);
  expect(actions.indexOf('stop')).toBeLessThan(actions.indexOf('spawn'));
  await started.stop(options.signal);
  expect(fake.lab).toBeUndefined();
});

test('logs the progress for operators, and never a secret', async () => {
  fake.events = [{ progress: 40, message: 'Pulling image' }];
  const started = await startLab(options);
  await started.close();
  expect(lines.join('')).toMatch(/"progress":40.*spawn: Pulling image/);
  expect(lines.join('')).not.toMatch(/gt-key|_xsrf|jupyterhub-user/);
});

test('a failed spawn tells what the hub said last', async () => {
  fake.spawnError = 'quota exceeded';
  const error: unknown = await startLab(options).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(SpawnFailedError);
  expect(error).toMatchObject({ lastProgress: 'Spawn failed: quota exceeded' });
  expect(String(error)).toMatch(
    /could not spawn a lab for bot-fake. The hub's last word: Spawn failed: quota/,
  );
});

test('a spawn that takes too long is given up, with its last step', async () => {
  fake.spawnMs = 5000;
  const error = await startLab({ ...options, spawnTimeoutMs: 200 }).catch(String);
  expect(error).toMatch(/not ready within 0.2 s.*last word: Server requested/);
});

test('nothing is commanded once the lease is over', async () => {
  fake.lab = new FakeLab(fake.username);
  const guard = () => {
    if (fake.count('user') > 0) throw new Error('lease over');
  };
  await expect(startLab({ ...options, guard })).rejects.toThrow('lease over');
  expect(fake.count('stop') + fake.count('spawn')).toBe(0);
});

test('a spawn broken off by us is stopped, though it is only on its way', async () => {
  fake.spawnMs = 60_000;
  const stop = new AbortController();
  const starting = startLab({ ...options, signal: stop.signal });
  starting.catch(() => undefined);
  await expect.poll(() => fake.count('progress')).toBe(1);
  stop.abort(new Error('SIGTERM'));
  await expect(starting).rejects.toThrow('SIGTERM');
  await stopLeftoverLab(options, options.signal);
  expect(fake.count('stop')).toBe(1);
  expect(fake.pending).toBeNull();
});

describe('the epoch of a leftover lab', () => {
  test('is the highest that its sessions carry, those of jobs and of nobody included', async () => {
    fake.lab = new FakeLab(fake.username);
    for (const path of ['noteburst/7/warm', 'noteburst/41/job/attempt', 'noteburst/9x/a', 'Untitled.ipynb']) {
      fake.lab.addSession(path);
    }
    await expect(leftoverEpoch(options, options.signal)).resolves.toBe(41);
    expect(fake.count('stop')).toBe(0);
  });

  test('is 0 when there is no lab, or it does not answer', async () => {
    await expect(leftoverEpoch(options, options.signal)).resolves.toBe(0);
    fake.lab = new FakeLab(fake.username);
    fake.lab.addSession('noteburst/7/warm');
    fake.failOn('lab-api', { status: 500 }, 2);
    await expect(leftoverEpoch(options, options.signal)).resolves.toBe(0);
  });
});

test('somebody with a higher epoch in the new lab ends it, and loses nothing', async () => {
  fake.onSpawned = (lab) => lab.addSession('noteburst/6/theirs');
  await expect(startLab(options)).rejects.toThrow('A session with epoch 6 is in the lab, and ours is 5');
  expect(fake.lab?.sessions.size).toBe(1);
});

test('somebody with a lower epoch in the new lab is thrown out', async () => {
  fake.onSpawned = (lab) => lab.addSession('noteburst/4/theirs');
  const started = await startLab(options);
  expect(fake.lab?.sessions.size).toBe(0);
  await started.close();
});

test('a hub that is restarting or throttles is waited for, at each step of stopping and spawning', async () => {
  for (const action of ['home', 'user', 'spawn-form', 'progress'] as const) {
    fake.failOn(action, { status: 503 });
  }
  for (const action of ['spawn', 'stop'] as const) fake.failOn(action, { status: 429, retryAfter: '1' });
  fake.lab = new FakeLab(fake.username);
  const begun = performance.now();
  const started = await startLab(options);
  expect(performance.now() - begun).toBeGreaterThanOrEqual(2_000);
  expect(fake.forms).toHaveLength(1);
  expect(fake.count('stop')).toBe(2);
  await started.close();
}, 20_000);
