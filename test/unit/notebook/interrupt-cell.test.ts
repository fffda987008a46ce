import { describe, expect, test } from 'vitest';
import type { ExecuteResult } from '../../../workers/executor/kernel/execute-result.ts';
import type { NotebookKernel } from '../../../workers/executor/kernel/leased-kernel.ts';
import { interruptCell } from '../../../workers/executor/notebook/interrupt-cell.ts';

const RESULT: ExecuteResult = { reply: { status: 'ok', execution_count: 1 } };

/** A kernel that runs one cell, heeds an interrupt only once that has begun, as ipykernel does, and counts them all. */
class OneCell {
  interrupts = 0;
  readonly warnings: string[] = [];
  readonly #begun = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<ExecuteResult>();
  #runs = false;

  begin(): void {
    this.#runs = true;
    this.#begun.resolve();
  }

  end(): void {
    this.#ended.resolve(RESULT);
  }

  interrupt(graceMs = 2_000): Promise<ExecuteResult | undefined> {
    const kernel: NotebookKernel = {
      languageInfo: {},
      sendComm: () => true,
      execute: () => Promise.reject(new Error('not here')),
      interrupt: () => {
        this.interrupts++;
        if (this.#runs) this.end();
        return Promise.resolve();
      },
    };
    return interruptCell({
      kernel,
      execution: this.#ended.promise,
      begun: this.#begun.promise,
      graceMs,
      onWarning: (warning) => this.warnings.push(warning),
    });
  }
}

describe('interruptCell', () => {
  test('interrupts a cell that runs once, at once', async () => {
    const cell = new OneCell();
    cell.begin();
    const sent = performance.now();
    expect(await cell.interrupt()).toBe(RESULT);
    expect(performance.now() - sent).toBeLessThan(200);
    expect(cell.interrupts).toBe(1);
  });

  test('waits for a cell that is on its way to the kernel', async () => {
    const cell = new OneCell();
    setTimeout(() => cell.begin(), 50);
    expect(await cell.interrupt()).toBe(RESULT);
    expect(cell.interrupts).toBe(1);
  });

  test('interrupts again when the first could not wait for the beginning', async () => {
    const cell = new OneCell();
    setTimeout(() => cell.begin(), 500);
    expect(await cell.interrupt()).toBe(RESULT);
    expect(cell.interrupts).toBe(2);
  });

  test('interrupts nothing when the cell ends meanwhile', async () => {
    const cell = new OneCell();
    setTimeout(() => cell.end(), 50);
    expect(await cell.interrupt()).toBe(RESULT);
    expect(cell.interrupts).toBe(0);
  });

  test('gives up after the grace, having tried', async () => {
    const cell = new OneCell();
    expect(await cell.interrupt(400)).toBeUndefined();
    expect(cell.interrupts).toBe(1);
  });
});
