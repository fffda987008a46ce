import { expect, test } from 'vitest';
import { checkNotebook } from '../../../lib/contract/nbformat.ts';
import type { NotebookKernel } from '../../../workers/executor/kernel/leased-kernel.ts';
import type { ExecuteReply } from '../../../workers/executor/kernel/messages.ts';
import { runNotebook } from '../../../workers/executor/notebook/run-notebook.ts';

const code = (source: string) => ({
  cell_type: 'code',
  source,
  metadata: {},
  outputs: [],
  execution_count: null,
});
const notebook = checkNotebook({
  nbformat: 4,
  nbformat_minor: 4,
  metadata: {},
  cells: [code('lost'), code('next')],
});

/** A kernel whose reply to the cell `lost` the lab loses, so that it is put together from the outputs. */
const losing = (derived: ExecuteReply): NotebookKernel => ({
  languageInfo: {},
  sendComm: () => true,
  interrupt: () => Promise.resolve(),
  execute: (source) =>
    Promise.resolve(source === 'lost' ? { reply: derived, missing: 'reply' } : { reply: { status: 'ok' } }),
});
const run = (kernel: NotebookKernel) =>
  runNotebook({ notebook, kernel, signal: new AbortController().signal });

test('a cell that seems to have ended well without a reply lets the notebook go on, with a warning', async () => {
  const result = await run(losing({ status: 'ok' }));
  expect(result).toEqual({
    notebook: expect.any(Object) as object,
    warnings: ["Cell 0: the lab lost the kernel's reply; that it ended well is told from its outputs alone"],
  });
});

test('one that seems to have failed ends it, with a warning, too', async () => {
  const result = await run(losing({ status: 'error', ename: 'E', evalue: 'v', traceback: ['t'] }));
  expect(result).toMatchObject({
    error: { name: 'E', cell_index: 0 },
    warnings: ["Cell 0: the lab lost the kernel's reply; that it failed is told from its outputs alone"],
  });
});
