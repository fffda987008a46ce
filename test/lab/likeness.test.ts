import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { discover } from '../../lib/discovery.ts';
import { Gafaelfawr, tokenInfo, tokenKey } from '../../lib/gafaelfawr.ts';
import { LeasedKernel } from '../../workers/executor/kernel/leased-kernel.ts';
import type { KernelMessage } from '../../workers/executor/kernel/messages.ts';
import { JupyterResponseError } from '../../workers/executor/lab/errors.ts';
import { HubClient, labState } from '../../workers/executor/lab/hub-client.ts';
import { JupyterHttp, type Method } from '../../workers/executor/lab/jupyter-http.ts';
import { LabApi } from '../../workers/executor/lab/lab-api.ts';
import { Lab } from '../../workers/executor/lab/lab.ts';
import { FakePlatform } from '../support/fake-platform.ts';
import { platform } from '../support/platform.ts';

// What the tests with faults believe because a fake said so must be what the real platform says.
const SPAWN_MS = 100_000;
const IMAGE = { selector: 'recommended' } as const;

describe.each(['real', 'fake'] as const)('the %s platform', (kind) => {
  const username = `bot-like-${randomBytes(4).toString('hex')}`;
  let fake: FakePlatform | undefined;
  let urls: { hubUrl: string; gafaelfawrUrl: string; repertoireUrl: string; adminToken: string };
  let gafaelfawr: Gafaelfawr;
  let token: string;
  let http: JupyterHttp;
  let hub: HubClient;
  let api: LabApi;
  let lab: Lab;
  const signal = () => AbortSignal.timeout(SPAWN_MS);
  const mint = () => {
    const expires = new Date(Date.now() + 600_000);
    return gafaelfawr.createServiceToken({ username, scopes: ['exec:notebook'], expires });
  };

  beforeAll(async () => {
    if (kind === 'fake') fake = await FakePlatform.start();
    urls = fake ?? platform();
    gafaelfawr = new Gafaelfawr(urls.gafaelfawrUrl, urls.adminToken);
    token = await mint();
    http = new JupyterHttp({ hubUrl: urls.hubUrl, username, token });
    hub = new HubClient(http);
    await hub.login(signal());
  });

  afterAll(async () => {
    await hub.stopLab(signal());
    await http.close();
    for (const { key } of await gafaelfawr.listTokens(username)) await gafaelfawr.deleteToken(username, key);
    await fake?.[Symbol.asyncDispose]();
  }, SPAWN_MS);

  /** How a call of the lab's API is answered, once we are logged in. */
  const statusOf = async (method: Method, path: string, json: object = {}): Promise<number> => {
    const options = { signal: signal(), ...(method === 'GET' || method === 'DELETE' ? {} : { json }) };
    return http.send(method, api.url(path), options).then(
      () => 200,
      (error: unknown) => {
        if (error instanceof JupyterResponseError) return error.status;
        throw error;
      },
    );
  };

  test('discovery names hub and Gafaelfawr', async () => {
    const found = await discover(urls.repertoireUrl, signal());
    expect(found).toEqual({ hubUrl: urls.hubUrl, gafaelfawrUrl: urls.gafaelfawrUrl });
  });

  test('tokens are listed, described, and worth nothing once deleted', async () => {
    const second = await mint();
    const keys = (await gafaelfawr.listTokens(username)).map(({ key }) => key);
    expect(keys).toEqual(expect.arrayContaining([tokenKey(token), tokenKey(second)]));
    await expect(tokenInfo(urls.gafaelfawrUrl, second)).resolves.toMatchObject({ username });
    await gafaelfawr.deleteToken(username, tokenKey(second));
    await gafaelfawr.deleteToken(username, tokenKey(second));
    await expect(tokenInfo(urls.gafaelfawrUrl, second)).resolves.toBeUndefined();
    const revoked = new JupyterHttp({ hubUrl: urls.hubUrl, username, token: second });
    await expect(new HubClient(revoked).login(signal())).rejects.toThrow('does not let');
    await revoked.close();
  });

  test('a lab is spawned with progress, once', { timeout: SPAWN_MS }, async () => {
    expect(labState(await hub.user(signal()))).toBe('none');
    await hub.spawn(IMAGE, 'Small', signal());
    const steps = [];
    for await (const step of hub.progress(signal())) steps.push(step);
    expect(steps.at(-1)).toMatchObject({ ready: true, failed: false });
    expect(labState(await hub.user(signal()))).toBe('ready');
    // A form leads somewhere whatever came of it: what counts is that the lab is still the same.
    api = new LabApi(http);
    lab = await Lab.connect(api, signal());
    await hub.spawn(IMAGE, 'Small', signal()).catch(() => undefined);
    await expect(lab.verify(signal())).resolves.toEqual({ kernels: 0 });
  });

  test('its sessions keep kernels by path', { timeout: SPAWN_MS }, async () => {
    expect((await lab.kernelSpecs(signal())).names).toContain('python3');
    const first = await lab.startSession('python3', 'noteburst/1/a', signal());
    await expect(lab.startSession('python3', 'noteburst/1/a', signal())).resolves.toEqual(first);
    await lab.renameSession(first.sessionId, 'noteburst/1/job/1', signal());
    const [session, ...others] = await lab.listSessions(signal());
    expect(others).toEqual([]);
    expect(session).toEqual({ ...first, path: 'noteburst/1/job/1', type: 'console' });
    await expect(lab.listKernels(signal())).resolves.toEqual([first.kernelId]);
    await expect(lab.verify(signal())).resolves.toEqual({ kernels: 1 });
    const unknown = { path: 'x', name: 'x', type: 'console', kernel: { name: 'fortran-iv' } };
    expect(await statusOf('POST', 'api/sessions', unknown)).toBe(501);
    expect(await statusOf('POST', `api/kernels/${first.kernelId}/interrupt`)).toBe(200);
    expect(await statusOf('DELETE', `api/sessions/${first.sessionId}`)).toBe(200);
    expect(await statusOf('DELETE', `api/sessions/${first.sessionId}`)).toBe(404);
    expect(await statusOf('DELETE', `api/kernels/${first.kernelId}`)).toBe(404);
    expect(await statusOf('PATCH', `api/sessions/${first.sessionId}`, { path: 'y' })).toBe(404);
    await expect(lab.listKernels(signal())).resolves.toEqual([]);
  });

  test('its websockets want cookies and a kernel', { timeout: SPAWN_MS }, async () => {
    const { kernelId, sessionId } = await lab.startSession('python3', 'noteburst/1/ws', signal());
    const { url, headers } = await lab.channels(kernelId, 'client-1');
    expect(await handshake(url, headers)).toBe('v1.kernel.websocket.jupyter.org');
    const { cookie: _, ...without } = headers;
    expect(await handshake(url, without)).toBe(403);
    expect(await handshake(url.replace(kernelId, '00000000-0000-0000-0000-000000000000'), headers)).toBe(404);
    await lab.deleteSession(sessionId, signal());
  });

  test('its kernels say the same', { timeout: SPAWN_MS }, async () => {
    const kernel = await LeasedKernel.start(lab, 'python3', 'noteburst/1/run', {}, signal());
    const run = async (code: string, during?: () => void) => {
      const said: KernelMessage[] = [];
      const onIopub = (message: KernelMessage) => {
        said.push(message);
        if (message.header.msg_type === 'execute_input') during?.();
      };
      const { reply } = await kernel.execute(code, { onIopub, signal: signal() });
      return [...said.map(({ header, content }) => `${header.msg_type} ${brief(content)}`), reply.status];
    };
    expect(await run("print('hello')")).toEqual([
      'status busy',
      'execute_input ',
      'stream hello\n',
      'status idle',
      'ok',
    ]);
    expect(await run("raise ValueError('no')")).toEqual([
      'status busy',
      'execute_input ',
      'error ValueError: no',
      'status idle',
      'error',
    ]);
    const interrupt = () => void setTimeout(() => void kernel.interrupt(signal()), 200);
    expect(await run('import time; time.sleep(60)', interrupt)).toEqual([
      'status busy',
      'execute_input ',
      'error KeyboardInterrupt: ',
      'status idle',
      'error',
    ]);
    await expect(run('import os; os._exit(1)')).rejects.toThrow('The kernel died');
    await kernel.delete(signal());
  });

  test('once stopped, its URLs say so', { timeout: SPAWN_MS }, async () => {
    await expect(hub.stopLab(signal())).resolves.toBe(true);
    expect(labState(await hub.user(signal()))).toBe('none');
    expect(await statusOf('GET', 'api/status')).toBe(424);
    await expect(hub.stopLab(signal())).resolves.toBe(false);
  });
});

/** @returns the subprotocol, or the status that it was refused with */
function handshake(url: string, headers: Record<string, string>): Promise<string | number> {
  const { promise, resolve, reject } = Promise.withResolvers<string | number>();
  const socket = new WebSocket(url, ['v1.kernel.websocket.jupyter.org'], { headers });
  socket.once('open', () => resolve(socket.protocol));
  socket.once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
  socket.once('error', reject);
  return promise.finally(() => {
    socket.once('error', () => undefined);
    socket.close();
  });
}

function brief(content: Record<string, unknown>): string {
  if ('execution_state' in content) return String(content['execution_state']);
  if ('ename' in content) return `${String(content['ename'])}: ${String(content['evalue'])}`;
  return typeof content['text'] === 'string' ? content['text'] : '';
}
