import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LabUnusableError, NoSuchKernelError } from '../../../workers/executor/lab/errors.ts';
import { JupyterHttp } from '../../../workers/executor/lab/jupyter-http.ts';
import { LabApi } from '../../../workers/executor/lab/lab-api.ts';
import { Lab } from '../../../workers/executor/lab/lab.ts';
import { reconcile, removeForeign } from '../../../workers/executor/lab/reconcile.ts';
import { FakeHub } from '../../support/fake-hub.ts';
import { FakeLab } from '../../support/fake-lab.ts';

const signal = AbortSignal.timeout(60_000);
let fake: FakeHub;
let server: FakeLab;
let http: JupyterHttp;
let lab: Lab;

beforeEach(async () => {
  fake = await new FakeHub().start();
  fake.lab = server = new FakeLab(fake.username);
  http = new JupyterHttp({ hubUrl: fake.url, username: fake.username, token: fake.token });
  lab = await Lab.connect(new LabApi(http), signal);
});

afterEach(async () => {
  await http.close();
  await fake.stop();
});

test('a lab is known by when it came up', () => {
  expect(lab.started).toBe(server.started);
  expect(lab.url).toBe(`${fake.url}/user/bot-fake/`);
});

describe('kernels', () => {
  test('are started through console sessions, once for each path', async () => {
    const first = await lab.startSession('lsst', 'noteburst/7/job-1', signal);
    await expect(lab.startSession('lsst', 'noteburst/7/job-1', signal)).resolves.toEqual(first);
    expect(await lab.listSessions(signal)).toEqual([
      { ...first, path: 'noteburst/7/job-1', type: 'console' },
    ]);
  });

  test('start although the answer was lost', async () => {
    fake.failOn('lab-api', 'lost');
    const { sessionId } = await lab.startSession('lsst', 'noteburst/7/job-1', signal);
    expect([...server.sessions.keys()]).toEqual([sessionId]);
  });

  test('of an unknown name are an error of their own', async () => {
    await expect(lab.startSession('fortran', 'x', signal)).rejects.toEqual(
      new NoSuchKernelError('The lab has no kernel named "fortran"'),
    );
    expect((await lab.kernelSpecs(signal)).names).toEqual(['python3', 'lsst']);
  });

  test('are interrupted, and deleted with their session; a session already gone is fine', async () => {
    const { sessionId, kernelId } = await lab.startSession('lsst', 'x', signal);
    await lab.interruptKernel(kernelId, signal);
    expect(server.interrupted).toEqual([kernelId]);
    await lab.deleteSession(sessionId, signal);
    await lab.deleteSession(sessionId, signal);
    expect(server.kernels.size).toBe(0);
  });

  test('get their websocket with cookies, token and the same User-Agent, and no Origin', async () => {
    const { url, headers } = await lab.channels('k1', 's 1');
    expect(url).toBe(
      `${fake.url.replace('http', 'ws')}/user/bot-fake/api/kernels/k1/channels?session_id=s+1`,
    );
    expect(headers).toMatchObject({ 'sec-fetch-mode': 'websocket', 'user-agent': 'noteburst-executor' });
    expect(headers['authorization']).toBe(`Bearer ${fake.token}`);
    expect(headers['cookie']).toMatch(/jupyterhub-user=/);
    expect(headers).not.toHaveProperty('origin');
  });

  test('get fresh cookies when their websocket is opened again', async () => {
    const before = await lab.channels('k1', 's');
    fake.expireCookies();
    const after = await lab.channels('k1', 's');
    expect(after.headers['cookie']).not.toBe(before.headers['cookie']);
    await expect(lab.listKernels(signal)).resolves.toEqual([]);
    expect(fake.count('authorize')).toBeLessThanOrEqual(4);
  });
});

describe('fencing', () => {
  test('deletes sessions and kernels that are not ours, and says whose they were', async () => {
    const ours = await lab.startSession('lsst', 'noteburst/7/job-1', signal);
    server.addSession('noteburst/6/job-9');
    const orphan = server.addKernel();
    const { sessions, kernelIds } = await removeForeign(lab, 7, signal);
    expect(sessions.map((session) => session.path)).toEqual(['noteburst/6/job-9']);
    expect(kernelIds).toEqual([orphan.id]);
    expect([...server.kernels.keys()]).toEqual([ours.kernelId]);
  });

  test('spares what we are starting at this moment', async () => {
    server.startDelayMs = 200;
    const starting = lab.startSession('lsst', 'noteburst/7/job-1', signal);
    await expect.poll(() => server.kernels.size).toBe(1);
    await expect(removeForeign(lab, 7, signal)).resolves.toEqual({ sessions: [], kernelIds: [] });
    expect(server.kernels.has((await starting).kernelId)).toBe(true);
  });
});

describe('reconciling', () => {
  test('costs one call while all kernels are ours, also those that have been renamed', async () => {
    const { sessionId } = await lab.startSession('lsst', 'noteburst/7/warm', signal);
    await lab.renameSession(sessionId, 'noteburst/7/job-1/attempt-1', signal);
    expect(server.sessions.get(sessionId)?.path).toBe('noteburst/7/job-1/attempt-1');
    const before = fake.count('lab-api');
    await reconcile(lab, 7, signal);
    expect(fake.count('lab-api') - before).toBe(1);
    expect(server.sessions.size).toBe(1);
  });

  test('deletes what is not ours', async () => {
    await lab.startSession('lsst', 'noteburst/7/warm', signal);
    server.addSession('noteburst/6/job-9');
    server.addKernel();
    const { sessions, kernelIds } = await reconcile(lab, 7, signal);
    expect([sessions.length, kernelIds.length]).toEqual([1, 1]);
    expect([...server.sessions.values()].map(({ path }) => path)).toEqual(['noteburst/7/warm']);
  });

  test('deletes a session of ours that could not be deleted when it was to be', async () => {
    const { sessionId } = await lab.startSession('lsst', 'noteburst/7/warm', signal);
    fake.failOn('lab-api', { status: 500 });
    await expect(lab.deleteSession(sessionId, signal)).rejects.toThrow('500');
    await reconcile(lab, 7, signal);
    expect(server.kernels.size).toBe(0);
  });

  test('leaves everything to a newer epoch, and says so', async () => {
    server.addSession('noteburst/6/older');
    server.addSession('noteburst/8/newer');
    await expect(reconcile(lab, 7, signal)).rejects.toThrow('A session with epoch 8 is in the lab');
    expect(server.sessions.size).toBe(2);
  });

  test('finds out that the lab is another by now', async () => {
    server.started = '2000-01-01T00:00:00Z';
    await expect(reconcile(lab, 7, signal)).rejects.toThrow('restarted under us');
  });
});

describe('a login that ran out', () => {
  test('is renewed once for all calls that were refused', async () => {
    const pagesBefore = fake.count('authorize');
    fake.expireCookies();
    await Promise.all(Array.from({ length: 10 }, () => lab.listKernels(signal)));
    // Through the hub's login, so the authorize page is asked for twice.
    expect(fake.count('authorize') - pagesBefore).toBe(2);
  });

  test('and whose renewal hangs holds nobody up who has given up', async () => {
    fake.expireCookies();
    fake.failOn('lab', 'hang', 2);
    const begun = performance.now();
    await expect(lab.listKernels(AbortSignal.timeout(100))).rejects.toThrow('timeout');
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  test('that cannot be renewed makes the lab unusable', async () => {
    fake.failOn('lab-api', { status: 403 }, 9);
    await expect(lab.listKernels(signal)).rejects.toMatchObject({
      name: 'LabUnusableError',
      trouble: 'unauthorized',
    });
    expect(fake.calls.slice(-1)[0]?.action).toBe('lab-api');
  });

  test('with a token that was revoked makes the lab unusable', async () => {
    fake.token = 'gt-other.secret';
    await expect(lab.listKernels(signal)).rejects.toThrow(/token is expired, revoked/);
  });
});

describe('trouble', () => {
  test.each([
    ['gone', { status: 424 }],
    ['gone', { status: 503 }],
    ['unreachable', 'reset'],
    ['broken', { body: '<html>' }],
  ] as const)('is told apart: %s', async (trouble, failure) => {
    fake.failOn('lab-api', failure, 2);
    const error: unknown = await lab.listKernels(signal).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(LabUnusableError);
    expect(error).toMatchObject({ trouble });
  });

  test('culled: the hub answers for the lab', async () => {
    fake.lab = undefined;
    await expect(lab.startSession('lsst', 'x', signal)).rejects.toThrow(/was stopped, culled or has died/);
  });

  test('a lab that was replaced under the same URL is not ours', async () => {
    await lab.verify(signal);
    server.started = '2000-01-01T00:00:00Z';
    await expect(lab.verify(signal)).rejects.toThrow(/restarted under us: it is up since 2000/);
  });
});
