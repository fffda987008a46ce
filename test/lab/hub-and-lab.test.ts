import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Gafaelfawr, tokenInfo, tokenKey } from '../../lib/gafaelfawr.ts';
import { LabUnusableError, NoSuchKernelError } from '../../workers/executor/lab/errors.ts';
import { HubClient } from '../../workers/executor/lab/hub-client.ts';
import { JupyterHttp } from '../../workers/executor/lab/jupyter-http.ts';
import { LabApi } from '../../workers/executor/lab/lab-api.ts';
import { Lab } from '../../workers/executor/lab/lab.ts';
import type { LabAccess } from '../../workers/executor/lab/lab-access.ts';
import { leftoverEpoch, stopLeftoverLab } from '../../workers/executor/lab/leftover-lab.ts';
import { reconcile } from '../../workers/executor/lab/reconcile.ts';
import { startLab, type StartedLab } from '../../workers/executor/lab/start-lab.ts';
import { platform } from '../support/platform.ts';

/** A hub gives a lab a minute to come up; its own verdict is more use than our timeout. */
const SPAWN_MS = 100_000;
const { hubUrl, gafaelfawrUrl, adminToken } = platform();
const gafaelfawr = new Gafaelfawr(gafaelfawrUrl, adminToken);
const username = `bot-lab-${randomBytes(4).toString('hex')}`;
const choice = { image: { selector: 'recommended' }, size: 'Small', epoch: 2 } as const;

let lines: string[];
let token: string;
let access: LabAccess;
let signal: AbortSignal;

async function mint(): Promise<string> {
  const expires = new Date(Date.now() + 600_000);
  return gafaelfawr.createServiceToken({
    username,
    scopes: ['exec:notebook'],
    expires,
  });
}

beforeAll(async () => {
  token = await mint();
  lines = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  access = { hubUrl, username, token, logger };
});

beforeEach(() => {
  signal = AbortSignal.timeout(SPAWN_MS);
});

afterAll(async () => {
  const done = AbortSignal.timeout(SPAWN_MS);
  await stopLeftoverLab(access, done);
  for (const { key } of await gafaelfawr.listTokens(username)) await gafaelfawr.deleteToken(username, key);
}, SPAWN_MS);

/** A second client of the same bot, as a predecessor that does not know it has lost the lease. */
async function rival(): Promise<{ http: JupyterHttp; hub: HubClient; lab: Lab }> {
  const http = new JupyterHttp({ hubUrl, username, token });
  return { http, hub: new HubClient(http), lab: await Lab.connect(new LabApi(http), signal) };
}

describe('a bot token', () => {
  test('is what Gafaelfawr says it is', async () => {
    await expect(tokenInfo(gafaelfawrUrl, token)).resolves.toMatchObject({
      username,
      scopes: ['exec:notebook'],
    });
    await expect(tokenInfo(gafaelfawrUrl, 'gt-unknown.token')).resolves.toBeUndefined();
    const keys = (await gafaelfawr.listTokens(username)).map((one) => one.key);
    expect(keys).toContain(tokenKey(token));
  });

  test('that was revoked opens no hub', async () => {
    const revoked = await mint();
    await gafaelfawr.deleteToken(username, tokenKey(revoked));
    const call = startLab({ ...access, ...choice, token: revoked, signal });
    await expect(call).rejects.toThrow(/does not let bot-lab-.* in: .*Is its Gafaelfawr token valid/);
  });
});

describe('a running lab', () => {
  let started: StartedLab | undefined;
  let lab: Lab;

  beforeAll(async () => {
    started = await startLab({ ...access, ...choice, signal: AbortSignal.timeout(SPAWN_MS) });
    lab = started.lab;
  }, SPAWN_MS);

  afterAll(() => started?.stop(AbortSignal.timeout(SPAWN_MS)), SPAWN_MS);

  afterEach(async () => {
    for (const { sessionId } of await lab.listSessions(signal)) await lab.deleteSession(sessionId, signal);
  });

  test('told its progress in the log, and no secret', () => {
    expect(lines.join('')).toMatch(/"progress":100.*spawn: /);
    expect(lines.join('')).not.toContain(token);
    expect(lines.join('')).not.toMatch(/_xsrf|jupyterhub-user/);
  });

  test('starts kernels once for each path, interrupts and deletes them', async () => {
    const { default: kernelName } = await lab.kernelSpecs(signal);
    const first = await lab.startSession(kernelName, 'noteburst/1/a', signal);
    await expect(lab.startSession(kernelName, 'noteburst/1/a', signal)).resolves.toEqual(first);
    await lab.interruptKernel(first.kernelId, signal);
    await lab.deleteSession(first.sessionId, signal);
    await lab.deleteSession(first.sessionId, signal);
    await expect(lab.listKernels(signal)).resolves.toEqual([]);
  });

  test('starts many at once', async () => {
    const paths = Array.from({ length: 4 }, (_, n) => `noteburst/1/${n}`);
    const kernels = await Promise.all(paths.map((path) => lab.startSession('python3', path, signal)));
    expect(new Set(kernels.map((kernel) => kernel.kernelId)).size).toBe(4);
  });

  test('says which kernel it does not have', async () => {
    await expect(lab.startSession('fortran-iv', 'x', signal)).rejects.toBeInstanceOf(NoSuchKernelError);
  });

  test('lets our websockets in, also after a reconnect, and nobody without cookies', async () => {
    const { kernelId } = await lab.startSession('python3', 'noteburst/1/ws', signal);
    const first = await lab.channels(kernelId, 'client-1');
    await expect(handshake(first.url, first.headers)).resolves.toBe('open');
    const again = await lab.channels(kernelId, 'client-1');
    await expect(handshake(again.url, again.headers)).resolves.toBe('open');
    const { cookie: _, ...without } = again.headers;
    await expect(handshake(again.url, without)).resolves.not.toBe('open');
  });

  test('loses what a rival started in it, and keeps ours', async () => {
    const ours = await lab.startSession('python3', 'noteburst/2/mine', signal);
    const other = await rival();
    await other.lab.startSession('python3', 'noteburst/1/theirs', signal);
    const { sessions } = await reconcile(lab, 2, signal);
    expect(sessions.map((session) => session.path)).toEqual(['noteburst/1/theirs']);
    await expect(lab.listKernels(signal)).resolves.toEqual([ours.kernelId]);
    await other.http.close();
  });

  test('takes us back after our cookies were lost, with one login for many calls', async () => {
    const other = await rival();
    other.http.forgetCookies();
    const listings = await Promise.all(Array.from({ length: 8 }, () => other.lab.listKernels(signal)));
    expect(listings).toHaveLength(8);
    other.http.forgetCookies();
    await expect(other.hub.user(signal)).resolves.toMatchObject({ name: username });
    await other.http.close();
  });

  test('tells the highest epoch in it, of whatever name its sessions are by then', async () => {
    const { sessionId } = await lab.startSession('python3', 'noteburst/2/warm', signal);
    await lab.startSession('python3', 'noteburst/1/older', signal);
    await lab.renameSession(sessionId, 'noteburst/2/job-1/attempt-1', signal);
    const paths = (await lab.listSessions(signal)).map(({ path }) => path);
    expect(paths.toSorted()).toEqual(['noteburst/1/older', 'noteburst/2/job-1/attempt-1']);
    await expect(leftoverEpoch(access, signal)).resolves.toBe(2);
    await expect(reconcile(lab, 2, signal)).resolves.toEqual({ sessions: [], kernelIds: [] });
  });
});

test(
  'a lab left behind is stopped before the next is spawned, and whoever still uses it is told',
  async () => {
    const first = await startLab({ ...access, ...choice, signal });
    const second = await startLab({ ...access, ...choice, signal });
    expect(second.lab.started).not.toBe(first.lab.started);
    const verified: unknown = await first.lab.verify(signal).catch((error: unknown) => error);
    expect(verified).toBeInstanceOf(LabUnusableError);
    await first.close();
    await stopLeftoverLab(access, signal);
    await expect(second.lab.listKernels(signal)).rejects.toMatchObject({ trouble: 'gone' });
    await second.stop(signal);
  },
  2 * SPAWN_MS,
);

test(
  'a spawn that we break off leaves no lab',
  async () => {
    const stop = new AbortController();
    const starting = startLab({ ...access, ...choice, signal: stop.signal });
    setTimeout(() => stop.abort(new Error('SIGTERM')), 600);
    await expect(starting).rejects.toThrow('SIGTERM');
    await stopLeftoverLab(access, signal);
    const http = new JupyterHttp({ ...access });
    await expect(new HubClient(http).user(signal)).resolves.toMatchObject({ servers: {} });
    await http.close();
  },
  SPAWN_MS,
);

async function handshake(url: string, headers: Record<string, string>): Promise<string> {
  const socket = new WebSocket(url, 'v1.kernel.websocket.jupyter.org', { headers });
  const outcome = await new Promise<string>((resolve) => {
    socket.once('open', () => resolve('open'));
    socket.once('error', (error) => resolve(error.message));
  });
  socket.terminate();
  return outcome;
}
