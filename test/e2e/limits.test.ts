import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseNotebook, type CodeCell } from '../../lib/contract/nbformat.ts';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { Stack } from '../support/stack.ts';

/** Limits that an operator sets, at small values; what the executor's memory does is in test/fidelity/limits.test.ts. */
const MAX_OUTPUTS = 20;
const MAX_OUTPUT_BYTES = 100_000;
let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start({
    executorEnv: {
      NOTEBURST_WORKER_MAX_OUTPUTS: String(MAX_OUTPUTS),
      NOTEBURST_WORKER_MAX_OUTPUT_BYTES: String(MAX_OUTPUT_BYTES),
    },
    functionEnv: {
      NOTEBURST_MAX_WATCHERS: '2',
      NOTEBURST_STREAM_MAX_SECONDS: '1',
      NOTEBURST_STREAM_HEARTBEAT_SECONDS: '0.4',
    },
  });
  await (await stack.startExecutor()).ready();
});
afterAll(() => stack[Symbol.asyncDispose]());

const run = async (...cells: string[]) =>
  stack.untilComplete(await stack.submit(ipynb({ cells: cells.map(codeCell) })));

const outputsOf = ({ ipynb, partial_ipynb }: NotebookResponse) =>
  parseNotebook(ipynb ?? partial_ipynb ?? '').cells.map((cell) => (cell as CodeCell).outputs);

describe('a notebook with too much output', () => {
  test.each([
    ['too many', `for n in range(${MAX_OUTPUTS + 10}): display(n)`],
    ['too large', `display({"text/plain": "x" * ${MAX_OUTPUT_BYTES + 10_000}}, raw=True)`],
    ['too long a text', `print("x" * ${MAX_OUTPUT_BYTES + 10_000})`],
  ])('(%s) runs to its end; what is left out is told in it and in a warning', async (_, code) => {
    const job = await run(code, 'x = 6 * 7', 'assert x == 42');
    expect(job).toMatchObject({ success: true, warnings: [expect.stringMatching(/output was cut/)] });
    expect(job).not.toHaveProperty('ipynb_error');
    const [outputs = []] = outputsOf(job);
    expect(outputs.length).toBeLessThanOrEqual(MAX_OUTPUTS + 1);
    expect(JSON.stringify(outputs).length).toBeLessThan(1.1 * MAX_OUTPUT_BYTES);
    expect(JSON.stringify(outputs.at(-1))).toContain('Output was cut here');
  });

  test('and far too much is stopped; the next one is well', async () => {
    const job = await run(
      '"before"',
      `for n in range(1000): display({"text/plain": "x" * ${MAX_OUTPUT_BYTES}}, raw=True)\nimport time; time.sleep(60)`,
      '"never"',
    );
    expect(job).toMatchObject({ success: false, error: { reason: 'output_limit', cell_index: 1 } });
    const [before, , never] = outputsOf(job);
    expect(before).toHaveLength(1);
    expect(never).toEqual([]);
    expect(await run('1')).toMatchObject({ success: true, attempts: 1 });
  });
});

test('streams of events end at the age that is set, with signs of life, and no more may watch than is set', async () => {
  const id = await stack.submit(ipynb({ cells: [codeCell('import time; time.sleep(60)')] }));
  await stack.until(id, ({ phase }) => phase === 'running');
  const watch = () => stack.fetch('status', `/v1/notebooks/${id}/events`);
  const begun = performance.now();
  const [first, second] = await Promise.all([watch(), watch()]);
  const refused = await watch();
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await first.text()).toMatch(/: still here\n\n/);
  await second.text();
  expect(performance.now() - begun).toBeGreaterThan(950);
  expect(performance.now() - begun).toBeLessThan(3_000);
  const again = await watch();
  expect(again.status).toBe(200);
  await again.body?.cancel();
  await stack.fetch('status', `/v1/notebooks/${id}`, { method: 'DELETE' });
  await stack.untilComplete(id);
});
