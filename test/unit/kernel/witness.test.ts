import { expect, test } from 'vitest';
import type { ExecuteOptions } from '../../../workers/executor/kernel/kernel-connection.ts';
import type { LeasedKernel } from '../../../workers/executor/kernel/leased-kernel.ts';
import { Witness } from '../../../workers/executor/kernel/witness.ts';

/** A kernel that prints an answer to whatever it is asked, or fails. */
class FakeKernel {
  asked: string[] = [];
  silent: boolean | undefined;
  deleted = 0;
  readonly #answer: string | Error;

  constructor(answer: string | Error) {
    this.#answer = answer;
  }

  async execute(code: string, options: ExecuteOptions): Promise<void> {
    this.asked.push(code);
    this.silent = options.silent;
    if (this.#answer instanceof Error) throw this.#answer;
    options.onIopub({ content: { name: 'stdout', text: this.#answer } } as never);
  }

  async delete(): Promise<void> {
    this.deleted++;
  }
}

function witnessOf(...kernels: (FakeKernel | Error)[]): Witness {
  return new Witness(async () => {
    const kernel = kernels.shift();
    if (kernel === undefined) throw new Error('no more kernels');
    if (kernel instanceof Error) throw kernel;
    return kernel as unknown as LeasedKernel;
  });
}

test('tells what its kernel saw of the process, and keeps the kernel for the next question', async () => {
  const kernel = new FakeKernel('False\n');
  const witness = witnessOf(kernel);
  expect(await witness.isRunning(4_711)).toBe(false);
  expect(await witness.isRunning(4_712)).toBe(false);
  expect(kernel.asked[0]).toContain('4711');
  expect(kernel.asked[1]).toContain('4712');
  // Or its connection would keep something of each question.
  expect(kernel.silent).toBe(true);
  expect(kernel.deleted).toBe(0);
  await witness.close();
  expect(kernel.deleted).toBe(1);
});

test('says so of a process that runs', async () => {
  expect(await witnessOf(new FakeKernel('True\n')).isRunning(1)).toBe(true);
});

test.each([
  ['its kernel fails', new FakeKernel(new Error('died'))],
  ['its kernel says something else', new FakeKernel('Traceback: no module named psutil')],
  ['no kernel can be started', new Error('no')],
])('knows nothing when %s', async (_, kernel) => {
  expect(await witnessOf(kernel).isRunning(1)).toBeUndefined();
});

test('deletes a kernel that failed, and asks another one next time', async () => {
  const [broken, good] = [new FakeKernel(new Error('died')), new FakeKernel('True\n')];
  const witness = witnessOf(broken, good);
  expect(await witness.isRunning(1)).toBeUndefined();
  expect(broken.deleted).toBe(1);
  expect(await witness.isRunning(1)).toBe(true);
  await witness.close();
  expect(good.deleted).toBe(1);
});
