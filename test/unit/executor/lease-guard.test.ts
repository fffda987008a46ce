import { expect, test } from 'vitest';
import { checkNotebook } from '../../../lib/contract/nbformat.ts';
import { WebsocketBackend } from '../../../workers/executor/backend/websocket-backend.ts';
import type { LeasedKernel } from '../../../workers/executor/kernel/leased-kernel.ts';
import { heldJob } from '../../support/held-job.ts';
import { codeCell, ipynb } from '../../support/notebooks.ts';

test("no cell is begun once the lease is over, and that is not the notebook's failure", async () => {
  const executed: string[] = [];
  let over = false;
  const kernel = {
    languageInfo: {},
    execute: async (code: string) => {
      executed.push(code);
      over = true;
      return { reply: { status: 'ok', execution_count: 1 } };
    },
  } as unknown as LeasedKernel;
  const unused = async () => undefined;
  const pool = { acquire: async () => kernel, release: unused, warm: unused, close: unused };
  const guard = () => {
    if (over) throw new Error('The lease is lost');
  };
  const notebook = checkNotebook(JSON.parse(ipynb({ cells: [codeCell('1'), codeCell('2')] })));
  using run = await new WebsocketBackend(pool, undefined, guard).run(heldJob(), notebook);
  expect(executed).toEqual(['1']);
  expect(run.error).toBeUndefined();
  expect(run.failure?.error.message).toBe('The lease is lost');
});
