import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject, KernelMessage } from '../../../workers/executor/kernel/messages.ts';
import { makeMessage } from '../../../workers/executor/kernel/messages.ts';
import { NotebookOutputs } from '../../../workers/executor/notebook/cell-outputs.ts';
import { bytesOf, firstBytes } from '../../../workers/executor/notebook/output-budget.ts';

function iopub(type: string, content: JsonObject): KernelMessage {
  const message = makeMessage('kernel_info_request', 'shell', {}, 'kernel');
  message.header.msg_type = type;
  return { ...message, channel: 'iopub', parent_header: { msg_id: 'p' }, content };
}
const print = (text: string, name = 'stdout') => iopub('stream', { name, text });
const display = (text: string, id = '', type = 'display_data') =>
  iopub(type, { data: { 'text/plain': text }, metadata: {}, transient: { display_id: id } });
const comm = (value: string) =>
  iopub('comm_msg', { comm_id: 'w', data: { state: { _model_name: 'M', value } } });
const error = (evalue: string) => iopub('error', { ename: 'E', evalue, traceback: ['first', evalue] });

/** Room for 1,000 bytes in 5 outputs. */
const limited = () => new NotebookOutputs({ maxOutputBytes: 1_000, maxOutputs: 5 });
const NOTICE = {
  output_type: 'stream',
  name: 'stderr',
  text: expect.stringContaining('Output was cut here') as string,
};
const bytesIn = (outputs: NotebookOutputs, cells = [0]) =>
  Buffer.byteLength(JSON.stringify(cells.flatMap((cell) => outputs.cell(cell).outputs)));

describe('beyond the limit', () => {
  test('a stream is kept up to it, and what follows in the cell is not shown', () => {
    const outputs = limited();
    for (let count = 0; count < 300; count++) outputs.apply(0, print('0123456789'));
    outputs.apply(0, display('small'));
    outputs.apply(0, print('on stderr', 'stderr'));
    const [kept, ...rest] = outputs.cell(0).outputs;
    expect(kept).toEqual({ output_type: 'stream', name: 'stdout', text: '0123456789'.repeat(100) });
    expect(rest).toEqual([NOTICE]);
    expect(outputs.warnings).toEqual([expect.stringContaining('output was cut')]);
  });

  test('a display is kept as a whole or not at all, in later cells, too', () => {
    const outputs = limited();
    outputs.apply(0, display('x'.repeat(600)));
    outputs.apply(0, display('x'.repeat(600)));
    outputs.apply(1, display('x'.repeat(600)));
    outputs.apply(2, print('small'));
    expect(outputs.cell(0).outputs).toMatchObject([{ output_type: 'display_data' }, NOTICE]);
    expect(outputs.cell(1).outputs).toEqual([NOTICE]);
    expect(outputs.cell(2).outputs).toMatchObject([{ text: 'small' }]);
    expect(outputs.warnings).toHaveLength(1);
  });

  test('of the number of outputs, further ones are not shown', () => {
    const outputs = limited();
    for (let count = 0; count < 9; count++) outputs.apply(0, print('x', count % 2 ? 'stderr' : 'stdout'));
    expect(outputs.cell(0).outputs).toHaveLength(6);
    expect(outputs.cell(0).outputs.at(-1)).toEqual(NOTICE);
  });

  test('of the number of outputs, not even empty ones are kept', () => {
    const outputs = limited();
    for (let count = 0; count < 9; count++) outputs.apply(0, print('', count % 2 ? 'stderr' : 'stdout'));
    expect(outputs.cell(0).outputs).toHaveLength(6);
  });

  test('an error is shown, shortened', () => {
    const outputs = limited();
    outputs.apply(0, print('x'.repeat(5_000)));
    outputs.apply(0, error('v'.repeat(100_000)));
    expect(outputs.cell(0).outputs).toMatchObject([{ name: 'stdout' }, NOTICE, { ename: 'E' }]);
    expect(bytesIn(outputs)).toBeLessThan(20_000);
    expect(outputs.cell(0).raised).toBe(true);
  });

  test('of errors only the newest is shown, in all cells and widgets together', () => {
    const outputs = limited();
    outputs.apply(0, print('x'.repeat(5_000)));
    for (let n = 0; n < 100; n++) outputs.apply(0, error(`${n} `.repeat(10_000)));
    expect(bytesIn(outputs)).toBeLessThan(20_000);
    expect(outputs.cell(0).outputs).toMatchObject([
      { name: 'stdout' },
      NOTICE,
      { evalue: expect.stringMatching(/^99 /) },
    ]);
    outputs.apply(1, error('y'.repeat(10_000)));
    expect(outputs.cell(0).outputs).toMatchObject([{ name: 'stdout' }, NOTICE]);
    expect(outputs.cell(1).outputs).toMatchObject([NOTICE, { ename: 'E' }]);
  });

  test('an error that no message told of is shown likewise', () => {
    const outputs = limited();
    outputs.addError(0, { output_type: 'error', ename: 'E', evalue: 'v'.repeat(100_000), traceback: [] });
    expect(outputs.cell(0).outputs).toMatchObject([NOTICE, { ename: 'E' }]);
    expect(bytesIn(outputs)).toBeLessThan(20_000);
  });

  test('a display is not updated, and stays as it was', () => {
    const outputs = limited();
    outputs.apply(0, display('small', 'id'));
    outputs.apply(1, display('x'.repeat(5_000), 'id', 'update_display_data'));
    expect(outputs.cell(0).outputs).toMatchObject([{ data: { 'text/plain': 'small' } }]);
    expect(outputs.cell(1).outputs).toEqual([NOTICE]);
  });

  test('the state of widgets is not kept', () => {
    const outputs = limited();
    outputs.apply(0, comm('small'));
    outputs.apply(0, comm('x'.repeat(5_000)));
    expect(JSON.stringify(outputs.widgetsMetadata())).toContain('"value":"small"');
    expect(outputs.cell(0).outputs).toEqual([NOTICE]);
  });
});

test('widgets without any state are not kept without end', () => {
  const outputs = limited();
  const open = (id: number) => iopub('comm_open', { comm_id: `w${id}`, data: { state: {} } });
  for (let id = 0; id < 1_000; id++) outputs.apply(0, open(id));
  expect(outputs.cell(0).outputs).toEqual([NOTICE]);
  expect(outputs.warnings).toHaveLength(1);
});

describe('what is gone does not count', () => {
  test('after clear_output there is room again', () => {
    const outputs = limited();
    for (let count = 0; count < 100; count++) {
      outputs.apply(0, iopub('clear_output', { wait: count % 2 === 0 }));
      outputs.apply(0, print('x'.repeat(900)));
    }
    expect(outputs.cell(0).outputs).toMatchObject([{ text: 'x'.repeat(900) }]);
    expect(outputs.warnings).toEqual([]);
    outputs.apply(0, print('x'.repeat(900)));
    outputs.apply(0, iopub('clear_output', {}));
    outputs.apply(0, print('anew'));
    expect(outputs.cell(0).outputs).toMatchObject([{ text: 'anew' }]);
  });

  test('an update replaces what it updates', () => {
    const outputs = limited();
    outputs.apply(0, display('', 'id'));
    for (let count = 0; count < 100; count++) {
      outputs.apply(0, display('x'.repeat(500 + count), 'id', 'update_display_data'));
    }
    expect(outputs.cell(0).outputs).toMatchObject([{ data: { 'text/plain': 'x'.repeat(599) } }]);
    expect(outputs.warnings).toEqual([]);
  });
});

test('only ten times the limit is a runaway', () => {
  const outputs = limited();
  outputs.apply(0, print('x'.repeat(10_900)));
  expect(outputs.isRunaway).toBe(false);
  outputs.apply(0, print('x'.repeat(200)));
  expect(outputs.isRunaway).toBe(true);
});

test('whatever comes, the notebook stays within the limit', () => {
  const message = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 400 }).map((text) => print(text)),
    fc.string({ unit: 'binary', maxLength: 400 }).map((text) => print(text, 'stderr')),
    fc
      .tuple(fc.string({ maxLength: 400 }), fc.constantFrom('a', 'b', ''))
      .map(([text, id]) => display(text, id)),
    fc.string({ maxLength: 400 }).map((text) => display(text, 'a', 'update_display_data')),
    fc.boolean().map((wait) => iopub('clear_output', { wait })),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2), message), { maxLength: 60 }), (messages) => {
      const outputs = limited();
      for (const [cell, message] of messages) outputs.apply(cell, message);
      const kept = [0, 1, 2].flatMap((cell) => outputs.cell(cell).outputs);
      const own = kept.filter(
        (output) => !('text' in output && String(output.text).startsWith('[noteburst]')),
      );
      const texts = own.map((output) =>
        'text' in output ? output.text : 'data' in output ? output.data : '',
      );
      expect(bytesOf(texts.filter((text) => typeof text === 'string').join(''))).toBeLessThanOrEqual(1_002);
      expect(own.length).toBeLessThanOrEqual(5);
      expect(kept.length - own.length).toBeLessThanOrEqual(3);
    }),
  );
});

describe('sizes', () => {
  test('of a JSON value are about those of its text', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const bytes = Buffer.byteLength(JSON.stringify(value));
        // Escapes take more in the text, numbers have up to 24 digits.
        expect(bytesOf(value)).toBeGreaterThan(bytes / 7);
        expect(bytesOf(value)).toBeLessThan(bytes * 4 + 8);
      }),
    );
  });

  test('of one that no parser takes are infinite', () => {
    let value: unknown = 1;
    for (let depth = 0; depth < 100_000; depth++) value = [value];
    expect(bytesOf(value)).toBe(Infinity);
    const outputs = limited();
    outputs.apply(0, iopub('display_data', { data: { 'application/json': value }, metadata: {} }));
    expect(outputs.cell(0).outputs).toEqual([NOTICE]);
  });

  test('a text is cut between characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (text, bytes) => {
        const start = firstBytes(text, bytes);
        expect(text.startsWith(start)).toBe(true);
        expect(Buffer.byteLength(start)).toBeLessThanOrEqual(bytes);
        expect(Buffer.byteLength(start)).toBeGreaterThan(Math.min(bytes, Buffer.byteLength(text)) - 4);
      }),
    );
  });
});
