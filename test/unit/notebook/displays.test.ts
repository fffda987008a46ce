import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject, KernelMessage } from '../../../workers/executor/kernel/messages.ts';
import { makeMessage } from '../../../workers/executor/kernel/messages.ts';
import { NotebookOutputs } from '../../../workers/executor/notebook/cell-outputs.ts';
import { bytesOf } from '../../../workers/executor/notebook/output-budget.ts';

function iopub(type: string, content: JsonObject): KernelMessage {
  const message = makeMessage('kernel_info_request', 'shell', {}, 'kernel');
  message.header.msg_type = type;
  return { ...message, channel: 'iopub', parent_header: { msg_id: 'p' }, content };
}
const display = (data: JsonObject, id: string, type = 'display_data') =>
  iopub(type, { data, metadata: {}, transient: { display_id: id } });
const shown = (text: string, id: string) => display({ 'text/plain': text }, id);
const update = (data: JsonObject, id: string) => display(data, id, 'update_display_data');
const clear = (wait = false) => iopub('clear_output', { wait });

const LIMIT = 1_000;
const limited = () => new NotebookOutputs({ maxOutputBytes: LIMIT, maxOutputs: 50 });
const CELLS = [0, 1, 2];

describe('outputs under one display_id', () => {
  test('show the same, in the order of the newest, and nothing of before', () => {
    const outputs = new NotebookOutputs();
    outputs.apply(0, display({ 'text/plain': 'a', 'text/html': 'a' }, 'id'));
    outputs.apply(1, iopub('execute_result', { ...shown('b', 'id').content, execution_count: 2 }));
    outputs.apply(2, update({ 'text/latex': 'c', 'text/plain': 'c' }, 'id'));
    const text = JSON.stringify(CELLS.map((cell) => outputs.cell(cell).outputs));
    expect(text).toBe(
      '[[{"output_type":"display_data","metadata":{},"data":{"text/latex":"c","text/plain":"c"}}],' +
        '[{"output_type":"execute_result","metadata":{},"data":{"text/latex":"c","text/plain":"c"},"execution_count":2}],[]]',
    );
  });

  test('may have any key', () => {
    const outputs = new NotebookOutputs();
    const odd = JSON.parse('{"__proto__":"a"}') as JsonObject;
    outputs.apply(0, shown('before', 'id'));
    outputs.apply(1, update(odd, 'id'));
    expect(JSON.stringify(outputs.cell(0).outputs)).toContain('"data":{"__proto__":"a"}');
  });

  test('are no longer updated once they were cleared, nor kept from a new one', () => {
    const outputs = new NotebookOutputs();
    outputs.apply(0, shown('a', 'id'));
    const [cleared] = outputs.cell(0).outputs;
    outputs.apply(0, clear());
    outputs.apply(0, shown('b', 'id'));
    outputs.apply(1, update({ 'text/plain': 'c' }, 'id'));
    expect(cleared).toMatchObject({ data: { 'text/plain': 'a' } });
    expect(outputs.cell(0).outputs).toMatchObject([{ data: { 'text/plain': 'c' } }]);
  });

  test('count as often as they are shown', () => {
    const outputs = limited();
    for (let count = 0; count < 5; count++) outputs.apply(0, shown('', 'id'));
    outputs.apply(1, update({ 'text/plain': 'x'.repeat(100) }, 'id'));
    expect(outputs.warnings).toEqual([]);
    outputs.apply(1, update({ 'text/plain': 'x'.repeat(300) }, 'id'));
    expect(outputs.warnings).toHaveLength(1);
    expect(outputs.cell(0).outputs).toHaveLength(5);
    expect(JSON.stringify(outputs.cell(0).outputs)).not.toContain('x'.repeat(101));
  });

  test('what a clear_output(wait=True) removes does not stand in the way of what comes instead', () => {
    const outputs = limited();
    for (let count = 0; count < 4; count++) outputs.apply(0, shown('x'.repeat(100), 'id'));
    outputs.apply(0, clear(true));
    outputs.apply(0, shown('x'.repeat(500), 'id'));
    expect(outputs.cell(0).outputs).toMatchObject([{ data: { 'text/plain': 'x'.repeat(500) } }]);
    expect(outputs.warnings).toEqual([]);
  });

  test('whatever comes, they stay within the limit, and all of it is free again when they are cleared', () => {
    const text = fc.nat(400).map((length) => 'x'.repeat(length));
    const id = fc.constantFrom('a', 'b', '');
    const message = fc.oneof(
      fc.tuple(text, id).map(([text, id]) => shown(text, id)),
      fc.tuple(text, id).map(([text, id]) => update({ 'text/plain': text }, id)),
      fc.boolean().map(clear),
    );
    const step = fc.tuple(fc.constantFrom(...CELLS), message);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const outputs = limited();
        const kept = () =>
          CELLS.flatMap((cell) => outputs.cell(cell).outputs).filter((output) => 'data' in output);
        for (const [cell, message] of steps) {
          outputs.apply(cell, message);
          expect(kept().reduce((sum, output) => sum + bytesOf(output), 0)).toBeLessThanOrEqual(LIMIT);
        }
        for (const cell of CELLS) outputs.apply(cell, clear());
        outputs.apply(0, iopub('stream', { name: 'stdout', text: 'x'.repeat(LIMIT + 1) }));
        expect(outputs.cell(0).outputs[0]).toMatchObject({ text: 'x'.repeat(LIMIT) });
      }),
    );
  });
});

describe('takes time in proportion', () => {
  const COUNT = 10_000;
  // As many ids as outputs are no more work than one: the same messages otherwise.
  const timeOf = (idOf: (count: number) => string, then: (outputs: NotebookOutputs) => void = () => {}) => {
    const messages = Array.from({ length: COUNT }, (_, count) => shown('text', idOf(count)));
    const outputs = new NotebookOutputs();
    const before = performance.now();
    for (const message of messages) outputs.apply(0, message);
    then(outputs);
    return performance.now() - before;
  };

  test('to show one display_id again and again', () => {
    timeOf(String); // compiled
    expect(timeOf(() => 'one')).toBeLessThan(10 * timeOf(String) + 100);
  });

  test('to update one that is shown in many outputs', () => {
    const updates = (outputs: NotebookOutputs) => {
      for (let count = 0; count < COUNT; count++) outputs.apply(1, update({ 'text/plain': 'new' }, 'one'));
    };
    timeOf(String, updates);
    expect(timeOf(() => 'one', updates)).toBeLessThan(10 * timeOf(String, updates) + 100);
  });

  test('to clear a cell that shows what many outputs of another show', () => {
    const clears = (outputs: NotebookOutputs) => {
      for (let count = 0; count < COUNT; count++) {
        outputs.apply(1, shown('text', 'one'));
        outputs.apply(1, clear());
      }
    };
    timeOf(String, clears);
    expect(timeOf(() => 'one', clears)).toBeLessThan(10 * timeOf(String, clears) + 100);
  });
});
