/** "Token" of the security design: the delegated token is verified, not only the header. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newJobId } from '../../../lib/contract/nbexec-job.ts';
import { putJob } from '../../support/ended-job.ts';
import { MemoryParts, QUEUE_NAME, serve, TOKENS, type TestServer } from '../../support/function-server.ts';
import { ipynb } from '../../support/notebooks.ts';
import { sendRaw } from '../../support/raw-http.ts';

const id = newJobId(QUEUE_NAME);
const JOB = `/noteburst/v1/notebooks/${id}`;
const NOTEBOOKS = '/noteburst/v1/notebooks/';
const USER = 'X-Auth-Request-User';
const TOKEN = 'X-Auth-Request-Token';
let parts: MemoryParts;
let stack: AsyncDisposableStack;
let submit: TestServer;
let status: TestServer;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  parts = new MemoryParts();
  submit = stack.use(await serve(parts.submit()));
  status = stack.use(await serve(parts.status()));
  putJob(parts, id);
});
afterEach(() => stack.disposeAsync());

const REFUSED: [string, string[]][] = [
  ['missing', []],
  ['missing, with a name', [`${USER}: alice`]],
  ['without a name', [`${TOKEN}: ${TOKENS.alice}`]],
  ['empty', [`${USER}: alice`, `${TOKEN}:`]],
  ['forged', [`${USER}: alice`, `${TOKEN}: gt-alice.forged`]],
  ['cut', [`${USER}: alice`, `${TOKEN}: ${TOKENS.alice.slice(0, -1)}`]],
  ["another's", [`${USER}: alice`, `${TOKEN}: ${TOKENS.bob}`]],
  ['in another header', [`${USER}: alice`, `Authorization: Bearer ${TOKENS.alice}`]],
  ['there with two names', [`${USER}: bob`, `${USER}: alice`, `${TOKEN}: ${TOKENS.alice}`]],
  ['there twice', [`${USER}: alice`, `${TOKEN}: ${TOKENS.alice}`, `${TOKEN}: ${TOKENS.alice}`]],
  ['there and forged', [`${USER}: alice`, `${TOKEN}: gt-x.y`, `${TOKEN}: ${TOKENS.alice}`]],
  ['there, the name in other letters', [`${USER}: Alice`, `${TOKEN}: ${TOKENS.alice}`]],
  [
    'under names that only look alike',
    ['X_Auth_Request_User: alice', `X_Auth_Request_Token: ${TOKENS.alice}`],
  ],
];

describe.each([
  ['POST', NOTEBOOKS, () => submit],
  ['GET', NOTEBOOKS, () => submit],
  ['GET', JOB, () => status],
  ['DELETE', JOB, () => status],
  ['GET', `${JOB}/events`, () => status],
  ['GET', `${JOB}/ipynb`, () => status],
])('%s %s → 401 even with forged headers present', (method, path, server) => {
  test.each(REFUSED)('when the token is %s', async (_, identity) => {
    const body = JSON.stringify({ ipynb: ipynb() });
    const before = structuredClone([...parts.jobs]);
    const answer = await sendRaw(
      server(),
      `${method} ${path} HTTP/1.1`,
      'Host: x',
      'Connection: close',
      'Content-Type: application/json',
      `Content-Length: ${method === 'POST' ? Buffer.byteLength(body) : 0}`,
      ...identity,
      '',
      method === 'POST' ? body : '',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer).toContain('WWW-Authenticate: Bearer');
    expect(answer).toContain('"type":"invalid_identity"');
    expect([...parts.jobs]).toEqual(before);
  });
});
