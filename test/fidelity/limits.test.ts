import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseNotebook, type CodeCell } from '../../lib/contract/nbformat.ts';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { Stack } from '../support/stack.ts';

const MIB = 2 ** 20;
const LIMIT_BYTES = 24 * MIB;
/** What an executor may grow by, whatever notebooks put out; 110 to 135 MiB are measured. */
const MAX_GROWTH_BYTES = 160 * MIB;

let stack: Stack;
let pid: number;
/** Before any of them. */
let rssBefore: number;
beforeAll(async () => {
  stack = await Stack.start({ executorEnv: { NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: '2' } });
  const executor = await stack.startExecutor();
  await executor.ready();
  pid = executor.process.pid ?? 0;
  await run(['1'], 10_000); // loads and compiles what every job needs
  rssBefore = memory('VmRSS');
});
afterAll(() => stack[Symbol.asyncDispose]());

const outputsOf = ({ ipynb, partial_ipynb }: NotebookResponse) =>
  parseNotebook(ipynb ?? partial_ipynb ?? '').cells.map((cell) => (cell as CodeCell).outputs);

const CUT = /Output was cut here: a notebook may have 24 MiB in 100,000 outputs/;

async function run(sources: string[], timeoutMs: number): Promise<NotebookResponse> {
  const id = await stack.submit(ipynb({ cells: sources.map(codeCell) }), { kernel_name: 'python3' });
  return stack.untilComplete(id, { timeoutMs, everyMs: 200 });
}

/** A line of the executor's /proc/PID/status, in bytes. */
function memory(line: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${line}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1_024;
}

const toMib = (bytes: number): number => Math.round(bytes / MIB);

/** Runs a notebook and tells by how much the executor grew at most, by the system's own high-water mark. */
async function runMeasured(sources: string[]): Promise<{ job: NotebookResponse; growth: number }> {
  writeFileSync(`/proc/${pid}/clear_refs`, '5'); // the mark starts anew
  const job = await run(sources, 100_000);
  const growth = memory('VmHWM') - rssBefore;
  console.log(`the executor had ${toMib(rssBefore)} MiB and grew by ${toMib(growth)} MiB`);
  return { job, growth };
}

describe('a notebook that puts out too much', () => {
  test('as 1 GB of prints: the lab drops most of it, the job ends well and says so', async () => {
    const { job, growth } = await runMeasured([
      'line = "x" * 99 + "\\n"\nfor _ in range(1_000):\n    print(line * 10_000, end="")',
      '"the end"',
    ]);
    const [printed, last] = outputsOf(job);
    expect(job).toMatchObject({ success: true, warnings: [expect.stringMatching(/rate exceeded/)] });
    expect(JSON.stringify(printed)).toMatch(/IOPub data rate exceeded/);
    expect(last).toMatchObject([{ data: { 'text/plain': "'the end'" } }]);
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
  });

  test.each(['x', '漢'])(
    'as 1 GB of displays of %s: it is stopped, and keeps what fits',
    async (character) => {
      const { job, growth } = await runMeasured([
        '"before"',
        `for _ in range(200):\n    display({"text/plain": "${character}" * (5_000_000 // ${Buffer.byteLength(character)})}, raw=True)`,
        '"never"',
      ]);
      expect(job).toMatchObject({
        success: false,
        error: { code: 'jupyter_error', reason: 'output_limit', cell_index: 1 },
        warnings: [expect.stringMatching(/output was cut/)],
      });
      const [before, shown = [], never] = outputsOf(job);
      expect(before).toHaveLength(1);
      // Behind the notice is what the interrupt raised, if it did not hit the kernel's own code.
      const notice = shown.findIndex((output) => CUT.test(JSON.stringify(output)));
      expect(notice).toBeGreaterThan(0);
      expect(shown.slice(notice + 1).every((output) => output.output_type === 'error')).toBe(true);
      expect(never).toEqual([]);
      expect(Buffer.byteLength(JSON.stringify(shown))).toBeGreaterThan(0.8 * LIMIT_BYTES);
      expect(Buffer.byteLength(JSON.stringify(shown))).toBeLessThan(LIMIT_BYTES + MIB);
      expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
    },
  );

  test('but not far too much goes on to its end', async () => {
    const { job, growth } = await runMeasured([
      'for _ in range(10):\n    display({"text/plain": "x" * 5_000_000}, raw=True)',
      'print("goes on")\n1 / 0',
    ]);
    expect(job).toMatchObject({
      success: true,
      ipynb_error: { name: 'ZeroDivisionError' },
      warnings: [expect.stringMatching(/output was cut/)],
    });
    const [shown = [], error] = outputsOf(job);
    expect(shown).toHaveLength(6);
    expect(JSON.stringify(shown.at(-1))).toMatch(CUT);
    expect(error).toMatchObject([{ name: 'stdout' }, { output_type: 'error' }]);
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
  });

  test('as images up to the limit: they are kept, all of them', async () => {
    const image = 'base64.b64encode(os.urandom(750_000)).decode()';
    const { job, growth } = await runMeasured([
      `import base64, os\nfor _ in range(24):\n    display({"image/png": ${image}}, raw=True)`,
    ]);
    expect(job).toMatchObject({ success: true });
    expect(job).not.toHaveProperty('warnings');
    expect(outputsOf(job)[0]).toHaveLength(24);
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
  });

  test('as one message that is a little too large: it is cut, and the notebook goes on', async () => {
    const { job, growth } = await runMeasured(['display({"text/plain": "x" * 32_000_000}, raw=True)', '2']);
    expect(job).toMatchObject({ success: true, warnings: [expect.stringMatching(/output was cut/)] });
    const [shown, last] = outputsOf(job);
    expect(JSON.stringify(shown)).toMatch(CUT);
    expect(last).toMatchObject([{ data: { 'text/plain': '2' } }]);
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
  });

  test.each([40, 400])('as one message of %d MB: it is stopped', async (megabytes) => {
    const flood = `display({"text/plain": "x" * ${megabytes}_000_000}, raw=True)`;
    const { job, growth } = await runMeasured([flood, '2']);
    expect(job).toMatchObject({ success: false, error: { reason: 'output_limit', cell_index: 0 } });
    expect(JSON.stringify(outputsOf(job)[0])).toMatch(CUT);
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
    expect(await run(['1'], 10_000)).toMatchObject({ success: true });
  });
});
