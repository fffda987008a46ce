import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  LabNotStoppedError,
  LabUnusableError,
  SpawnFailedError,
} from '../../../workers/executor/lab/errors.ts';
import { HubClient } from '../../../workers/executor/lab/hub-client.ts';
import { JupyterHttp } from '../../../workers/executor/lab/jupyter-http.ts';
import type { SpawnProgress } from '../../../workers/executor/lab/spawn-progress.ts';
import { FakeHub } from '../../support/fake-hub.ts';
import { FakeLab } from '../../support/fake-lab.ts';

const signal = AbortSignal.timeout(60_000);
const image = { selector: 'weekly' } as const;
let fake: FakeHub;
let http: JupyterHttp;
let hub: HubClient;
let retries: string[];

beforeEach(async () => {
  fake = await new FakeHub().start();
  retries = [];
  http = new JupyterHttp({ hubUrl: fake.url, username: fake.username, token: fake.token, timeoutMs: 2000 });
  hub = new HubClient(http, (error) => retries.push(error.message));
});

afterEach(async () => {
  await http.close();
  await fake.stop();
});

async function follow(): Promise<SpawnProgress[]> {
  return Array.fromAsync(hub.progress(signal));
}

describe('login', () => {
  test('waits while the hub throttles, as long as it asks for', async () => {
    fake.failOn('home', { status: 429, retryAfter: '1' });
    const begun = performance.now();
    await hub.login(signal);
    expect(performance.now() - begun).toBeGreaterThan(990);
    expect(retries).toEqual(['GET /nb/hub/home answered 429']);
  });

  test('does not wait for a Retry-After beyond its patience', async () => {
    fake.failOn('home', { status: 503, retryAfter: '3600' });
    await expect(hub.login(signal)).rejects.toMatchObject({ status: 503 });
  });

  test('is done again, once, when the hub has forgotten us', async () => {
    await hub.login(signal);
    fake.expireCookies();
    await expect(hub.user(signal)).resolves.toMatchObject({ servers: {} });
  });

  test('gives up on a hub that refuses us for good', async () => {
    fake.failOn('user', { status: 403 }, 9);
    await expect(hub.user(signal)).rejects.toBeInstanceOf(LabUnusableError);
    expect(fake.count('user')).toBe(2);
  });

  test.each([{ status: 401 }, { redirect: '/login?rd=x' }])(
    'says what a refused token means: %j',
    async (failure) => {
      fake.failOn('home', failure);
      const error: unknown = await hub.login(signal).catch((e: unknown) => e);
      expect(error).toMatchObject({ name: 'LabUnusableError', trouble: 'unauthorized' });
      expect(String(error)).toMatch(/does not let bot-fake in: .*Is its Gafaelfawr token valid/);
    },
  );
});

describe('stop', () => {
  test('does nothing when there is no lab', async () => {
    await expect(hub.stopLab(signal)).resolves.toBe(false);
    expect(fake.count('stop')).toBe(0);
  });

  test('waits until the lab is gone', async () => {
    fake.lab = new FakeLab(fake.username);
    fake.stopMs = 300;
    await expect(hub.stopLab(signal)).resolves.toBe(true);
    expect(fake.lab).toBeUndefined();
    expect(fake.count('stop')).toBe(1);
  });

  test.each(['lost', { status: 500 }, { status: 404 }] as const)(
    'trusts the model, not the answer: %j',
    async (failure) => {
      fake.lab = new FakeLab(fake.username);
      fake.failOn('stop', failure);
      if (failure !== 'lost') setTimeout(() => (fake.lab = undefined), 100);
      await expect(hub.stopLab(signal)).resolves.toBe(true);
    },
  );

  test('says so when the lab does not go', async () => {
    fake.lab = new FakeLab(fake.username);
    fake.stopMs = 5000;
    const error: unknown = await hub.stopLab(signal, 300).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(LabNotStoppedError);
    expect(String(error)).toMatch(/The lab of bot-fake is still there 0.3 s after it was told to stop/);
  });
});

describe('spawn', () => {
  test('sends the form after loading it, and tells the progress', async () => {
    await hub.spawn(image, 'Small', signal);
    const steps = await follow();
    expect(fake.forms).toEqual([{ image_class: 'latest-weekly', size: 'Small' }]);
    expect(steps.map((step) => [step.progress, step.ready])).toEqual([
      [10, false],
      [100, true],
    ]);
  });

  test('a failure ends with the reason the hub gives', async () => {
    fake.spawnError = 'no such image';
    await hub.spawn(image, 'Small', signal);
    expect((await follow()).at(-1)).toMatchObject({ failed: true, message: 'Spawn failed: no such image' });
  });

  test('a stream cut off is opened again, and nothing is told twice', async () => {
    fake.events = [10, 20, 30].map((progress) => ({ progress, message: `step ${progress}` }));
    fake.cutProgressAfter = 2;
    fake.spawnMs = 400;
    await hub.spawn(image, 'Small', signal);
    expect((await follow()).map((step) => step.progress)).toEqual([10, 20, 30, 100]);
    expect(fake.count('progress')).toBe(2);
  });

  test('the user model decides where no stream is to be had', async () => {
    fake.failOn('progress', { status: 400 }, 99);
    await hub.spawn(image, 'Small', signal);
    expect(await follow()).toMatchObject([{ ready: true }]);
  });

  test('a lab that vanished without a word is a failure', async () => {
    fake.spawnError = 'unheard';
    await hub.spawn(image, 'Small', signal);
    fake.failOn('progress', 'reset', 99);
    expect(await follow()).toMatchObject([{ failed: true, message: 'The hub has no such lab any more' }]);
  });

  test('an answer that was lost does not make a second spawn', async () => {
    fake.spawnMs = 1000;
    fake.failOn('spawn', 'lost');
    await hub.spawn(image, 'Small', signal);
    expect(fake.forms).toHaveLength(1);
  });

  test('a form that is answered by the login page is sent again after a login', async () => {
    fake.failOn('spawn', { redirect: '/nb/hub/login?next=x' });
    await hub.spawn(image, 'Small', signal);
    expect(fake.forms).toHaveLength(1);
    expect(fake.count('spawn')).toBe(2);
  });

  test('a refusal says what to look at, without the hub page', async () => {
    fake.failOn('spawn', { status: 500 });
    const error: unknown = await hub.spawn(image, 'Small', signal).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(SpawnFailedError);
    expect(String(error)).toMatch(/refuses to spawn a lab for bot-fake \(500\): check the image/);
    expect(String(error)).not.toContain('secret-body');
  });
});
