import { expect, test } from 'vitest';
import { checkNotebook } from '../../../lib/contract/nbformat.ts';
import { WebsocketBackend } from '../../../workers/executor/backend/websocket-backend.ts';
import type { ExecuteOptions } from '../../../workers/executor/kernel/kernel-connection.ts';
import type { LeasedKernel, NotebookKernel } from '../../../workers/executor/kernel/leased-kernel.ts';
import {
  makeMessage,
  type JsonObject,
  type KernelMessage,
} from '../../../workers/executor/kernel/messages.ts';
import { heldJob } from '../../support/held-job.ts';
import { codeCell, ipynb } from '../../support/notebooks.ts';

const notebook = checkNotebook(JSON.parse(ipynb({ cells: [codeCell('print("x" * 50)')] })));

function iopub(type: string, content: JsonObject): KernelMessage {
  const message = makeMessage('kernel_info_request', 'shell', {}, 'kernel');
  message.header.msg_type = type;
  return { ...message, channel: 'iopub', parent_header: { msg_id: 'cell' }, content };
}

/** A pool whose kernels print 50 characters, and remember with which options they were asked to. */
function poolOf(asked: ExecuteOptions[], changes: Partial<NotebookKernel> = {}) {
  const kernel = {
    languageInfo: {},
    execute: async (_code: string, options: ExecuteOptions) => {
      asked.push(options);
      options.onIopub(iopub('stream', { name: 'stdout', text: 'x'.repeat(50) }));
      return { reply: { status: 'ok', execution_count: 1 } };
    },
    sendComm: () => true,
    ...changes,
  };
  const unused = async () => undefined;
  return {
    acquire: async () => kernel as unknown as LeasedKernel,
    release: unused,
    warm: unused,
    close: unused,
  };
}

test.each([
  [true, 'throw'],
  [false, 'report'],
])('with enable_retry %s output that is lost with the websocket is to be: %s', async (enable_retry, end) => {
  const asked: ExecuteOptions[] = [];
  const job = heldJob();
  const data = { ...job.data, enable_retry };
  using run = await new WebsocketBackend(poolOf(asked)).run({ ...job, data }, notebook);
  expect(asked.map(({ lostOutput }) => lostOutput)).toEqual([end]);
  expect(run.warnings).toEqual([]);
});

test('the lab is not empty before the kernel of a run that ended is gone', async () => {
  const gone = Promise.withResolvers<void>();
  const backend = new WebsocketBackend({ ...poolOf([]), release: () => gone.promise });
  const run = await backend.run(heldJob(), notebook);
  run[Symbol.dispose]();
  let vacated = false;
  const vacating = backend.vacated().then(() => (vacated = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(vacated).toBe(false);
  gone.resolve();
  await vacating;
});

test('the configured limits of outputs are kept', async () => {
  const limits = { maxOutputBytes: 20, maxOutputs: 5 };
  using run = await new WebsocketBackend(poolOf([]), limits).run(heldJob(), notebook);
  expect(run.notebook?.cells[0]).toMatchObject({ outputs: [{ text: 'x'.repeat(20) }, { name: 'stderr' }] });
  expect(run.warnings).toHaveLength(1);
});

test('what an Output widget holds and the kernel cannot be sent is a warning', async () => {
  const widget = { _model_module: '@jupyter-widgets/output', _model_name: 'OutputModel', outputs: [] };
  const comm = (type: string, state: JsonObject) =>
    iopub(type, { comm_id: 'o', target_name: 'jupyter.widget', data: { state } });
  const execute: NotebookKernel['execute'] = async (_code, options) => {
    options.onIopub(comm('comm_open', widget));
    options.onIopub(comm('comm_msg', { msg_id: 'cell' }));
    options.onIopub(iopub('stream', { name: 'stdout', text: 'held by the widget' }));
    return { reply: { status: 'ok', execution_count: 1 } };
  };
  using told = await new WebsocketBackend(poolOf([], { execute })).run(heldJob(), notebook);
  expect(told.warnings).toEqual([]);
  const pool = poolOf([], { execute, sendComm: () => false });
  using untold = await new WebsocketBackend(pool).run(heldJob(), notebook);
  expect(untold.warnings).toEqual([expect.stringMatching(/^Cell 0: .*widget.* too much/)]);
  expect(untold).not.toHaveProperty('failure');
});
