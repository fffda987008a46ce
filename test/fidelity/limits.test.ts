import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CUT, MAX_GROWTH_BYTES, MeasuredExecutor, outputsOf } from './measured-executor.ts';

const MIB = 2 ** 20;
const LIMIT_BYTES = 24 * MIB;

let executor: MeasuredExecutor;
beforeAll(async () => {
  executor = await MeasuredExecutor.start();
});
afterAll(() => executor[Symbol.asyncDispose]());

describe('a notebook that puts out too much', () => {
  test.each(['x', '漢'])(
    'as 1 GB of displays of %s: it is stopped, and keeps what fits',
    async (character) => {
      const { job, growth } = await executor.runMeasured([
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
    const { job, growth } = await executor.runMeasured([
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
    const { job, growth } = await executor.runMeasured([
      `import base64, os\nfor _ in range(24):\n    display({"image/png": ${image}}, raw=True)`,
    ]);
    expect(job).toMatchObject({ success: true });
    expect(job).not.toHaveProperty('warnings');
    expect(outputsOf(job)[0]).toHaveLength(24);
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
  });

  test('as one message that is a little too large: it is cut, and the notebook goes on', async () => {
    const { job, growth } = await executor.runMeasured([
      'display({"text/plain": "x" * 32_000_000}, raw=True)',
      '2',
    ]);
    expect(job).toMatchObject({ success: true, warnings: [expect.stringMatching(/output was cut/)] });
    const [shown, last] = outputsOf(job);
    expect(JSON.stringify(shown)).toMatch(CUT);
    expect(last).toMatchObject([{ data: { 'text/plain': '2' } }]);
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
  });

  test.each([40, 400])('as one message of %d MB: it is stopped', async (megabytes) => {
    const flood = `display({"text/plain": "x" * ${megabytes}_000_000}, raw=True)`;
    const { job, growth } = await executor.runMeasured([flood, '2']);
    expect(job).toMatchObject({ success: false, error: { reason: 'output_limit', cell_index: 0 } });
    expect(JSON.stringify(outputsOf(job)[0])).toMatch(CUT);
    expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
    expect(await executor.run(['1'], 10_000)).toMatchObject({ success: true });
  });
});
