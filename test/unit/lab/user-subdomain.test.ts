import dns from 'node:dns';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { JupyterHttp } from '../../../workers/executor/lab/jupyter-http.ts';
import { LabApi } from '../../../workers/executor/lab/lab-api.ts';
import { Lab } from '../../../workers/executor/lab/lab.ts';
import { FakeHub } from '../../support/fake-hub.ts';
import { FakeLab } from '../../support/fake-lab.ts';

const signal = AbortSignal.timeout(60_000);
let fake: FakeHub;
let http: JupyterHttp;
let looked: string[];

// Every name is this machine: what is asked for tells where a request went.
beforeEach(async () => {
  fake = await new FakeHub().start();
  fake.lab = new FakeLab(fake.username);
  looked = [];
  const lookup = (name: string, _options: unknown, done: (...found: unknown[]) => void) => {
    looked.push(name);
    done(null, [{ address: '127.0.0.1', family: 4 }]);
  };
  vi.spyOn(dns, 'lookup').mockImplementation(lookup as never);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await http.close();
  await fake.stop();
});

test('a lab on a host of its user is found by the redirect, and spoken to there from then on', async () => {
  const { port } = new URL(fake.url);
  const labUrl = `http://bot-fake.hub.test:${port}/nb/user/bot-fake/`;
  fake.failOn('lab', { redirect: `${labUrl}lab` });
  http = new JupyterHttp({
    hubUrl: `http://hub.test:${port}/nb`,
    username: fake.username,
    token: fake.token,
  });
  const lab = await Lab.connect(new LabApi(http), signal);
  expect(lab.url).toBe(labUrl);
  expect([...new Set(looked)]).toEqual(['hub.test', 'bot-fake.hub.test']);
  const { kernelId } = await lab.startSession('lsst', 'noteburst/7/a', signal);
  const { url, headers } = await lab.channels(kernelId, 's');
  expect(url).toBe(`${labUrl.replace('http', 'ws')}api/kernels/${kernelId}/channels?session_id=s`);
  expect(headers['cookie']).toMatch(/jupyterhub-user=/);
  // Its XSRF token and cookies are renewed there too.
  fake.expireCookies();
  await expect(lab.listKernels(signal)).resolves.toEqual([kernelId]);
  expect(lab.url).toBe(labUrl);
});
