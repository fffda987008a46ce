import { readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Output } from '../../../lib/contract/nbformat.ts';
import type { JsonObject, KernelMessage } from '../../../workers/executor/kernel/messages.ts';
import { isObject, makeMessage } from '../../../workers/executor/kernel/messages.ts';
import { decodeMessage } from '../../../workers/executor/kernel/websocket-codec.ts';
import { NotebookOutputs } from '../../../workers/executor/notebook/cell-outputs.ts';

function iopub(type: string, content: JsonObject, parent = 'p', buffers: Uint8Array[] = []): KernelMessage {
  const message = makeMessage('kernel_info_request', 'shell', {}, 'kernel');
  message.header.msg_type = type;
  return { ...message, channel: 'iopub', parent_header: { msg_id: parent }, content, buffers };
}
const print = (text: string, name = 'stdout', parent = 'p') => iopub('stream', { name, text }, parent);
const display = (text: string, id?: string, type = 'display_data') =>
  iopub(type, {
    data: { 'text/plain': text },
    metadata: {},
    transient: id === undefined ? {} : { display_id: id },
  });
const comm = (type: string, id: string, state: JsonObject, more: JsonObject = {}) =>
  iopub(type, { comm_id: id, target_name: 'jupyter.widget', data: { state, ...more } });
const outputWidget = {
  _model_module: '@jupyter-widgets/output',
  _model_name: 'OutputModel',
  outputs: [],
  msg_id: '',
};

function reduce(...messages: (KernelMessage | [number, KernelMessage])[]): NotebookOutputs {
  const outputs = new NotebookOutputs();
  for (const item of messages) {
    if (Array.isArray(item)) outputs.apply(item[0], item[1]);
    else outputs.apply(0, item);
  }
  return outputs;
}
const texts = (outputs: NotebookOutputs, cell = 0) =>
  outputs
    .cell(cell)
    .outputs.map((output) =>
      'text' in output ? output.text : 'data' in output ? output.data['text/plain'] : output.ename,
    );

/** What nbformat's schema requires of an output, by its kind. */
function isValid(output: Output): boolean {
  switch (output.output_type) {
    case 'stream':
      return typeof output.name === 'string' && typeof output.text === 'string';
    case 'error':
      return [output.ename, output.evalue, ...output.traceback].every((text) => typeof text === 'string');
    default:
      return isObject(output.data) && isObject(output.metadata);
  }
}

describe('transcripts recorded from a real server give the outputs nbclient gives', () => {
  const folder = new URL('../kernel/transcripts/', import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  test.each(files.filter((file) => file.endsWith('.json')))('%s', (file) => {
    const transcript = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as {
      cells: { msg_id: string; outputs: unknown }[];
      widgets: unknown;
      frames: string[];
    };
    const outputs = new NotebookOutputs();
    const cells = transcript.cells.map((cell) => cell.msg_id);
    for (const frame of transcript.frames) {
      const message = decodeMessage(Buffer.from(frame, 'base64'));
      const index = cells.indexOf(message.parent_header.msg_id ?? '');
      if (message.channel === 'iopub' && index !== -1) outputs.apply(index, message);
    }
    expect(cells.map((_, index) => outputs.cell(index).outputs)).toEqual(
      transcript.cells.map((cell) => cell.outputs),
    );
    expect(outputs.widgetsMetadata() ?? null).toEqual(transcript.widgets);
    for (const index of cells.keys()) {
      const names = ['iopub.execute_input', 'iopub.status.busy', 'iopub.status.idle'];
      expect(Object.keys(outputs.cell(index).timing).sort()).toEqual(names);
      expect(outputs.cell(index).executionCount).toBe(index + 1);
    }
  });
});

describe('outputs', () => {
  test('adjacent streams of one name are one, others keep their order', () => {
    const outputs = reduce(
      print('a'),
      print('b'),
      print('!', 'stderr'),
      print('c'),
      display('d'),
      print('e'),
    );
    expect(texts(outputs)).toEqual(['ab', '!', 'c', 'd', 'e']);
  });

  test('however prints are cut into messages, the text is the same', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (pieces) => {
        const whole = pieces.join('');
        expect(texts(reduce(...pieces.map((piece) => print(piece)))).join('')).toBe(whole);
      }),
    );
  });

  test('10⁵ prints take time in proportion', () => {
    const message = print('a line of text\n');
    const outputs = new NotebookOutputs();
    const before = performance.now();
    for (let count = 0; count < 100_000; count++) outputs.apply(0, message);
    expect(JSON.stringify(outputs.cell(0).outputs).length).toBeGreaterThan(1_500_000);
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  test('clear_output at once and with wait', () => {
    expect(texts(reduce(print('a'), iopub('clear_output', { wait: false }), print('b')))).toEqual(['b']);
    expect(texts(reduce(print('a'), iopub('clear_output', { wait: true })))).toEqual(['a']);
    expect(texts(reduce(print('a'), iopub('clear_output', { wait: true }), print('b')))).toEqual(['b']);
  });

  test('update_display_data changes every output of its id, in all cells, and shows nothing itself', () => {
    const outputs = reduce(
      [0, display('a', 'x')],
      [1, display('b', 'x')],
      [2, display('c', 'x', 'update_display_data')],
    );
    expect([0, 1, 2].map((cell) => texts(outputs, cell))).toEqual([['c'], ['c'], []]);
  });

  test('a cleared output is updated no more, one of another cell is', () => {
    const outputs = reduce(
      [0, display('a', 'x')],
      [1, display('a', 'x')],
      [0, iopub('clear_output', {})],
      [0, print('p')],
    );
    outputs.apply(2, display('b', 'x', 'update_display_data'));
    expect([texts(outputs, 0), texts(outputs, 1)]).toEqual([['p'], ['b']]);
  });

  test('transient is not stored; a transient of null is none', () => {
    const message = display('a', 'x');
    expect(reduce(message).cell(0).outputs).toEqual([
      { output_type: 'display_data', data: { 'text/plain': 'a' }, metadata: {} },
    ]);
    message.content['transient'] = null;
    expect(texts(reduce(message))).toEqual(['a']);
  });

  test('the lab’s rate limit notice stays in its place and becomes a warning', () => {
    const outputs = reduce(print('\nIOPub data rate exceeded.\nThe Jupyter server…', 'stderr'));
    expect(outputs.warnings).toEqual([
      "IOPub data rate exceeded: the lab dropped some of the notebook's output",
    ]);
    expect(outputs.cell(0).dropped).toBe(true);
  });

  test('a notebook that prints such a line on stdout is not one', () => {
    const outputs = reduce(print('IOPub data rate exceeded.\n'));
    expect(outputs.warnings).toEqual([]);
    expect(outputs.cell(0).dropped).toBe(false);
  });

  test('a traceback of anything but text is shown as it came', () => {
    const outputs = reduce([0, iopub('error', { traceback: ['a', 1, null, { toString: 0 }] })]);
    expect(outputs.cell(0).outputs).toMatchObject([{ traceback: ['a', '1', '', '{"toString":0}'] }]);
  });

  test('whatever the content is, outputs are nbformat’s', () => {
    const type = fc.constantFrom(
      'status',
      'execute_input',
      'stream',
      'display_data',
      'update_display_data',
      'execute_result',
      'error',
      'clear_output',
      'comm_open',
      'comm_msg',
      'comm_close',
      'nonsense',
    );
    const key = fc.constantFrom(
      'name',
      'text',
      'data',
      'metadata',
      'transient',
      'wait',
      'comm_id',
      'traceback',
    );
    const content = fc.dictionary(key, fc.jsonValue());
    const messages = fc.array(
      fc.tuple(
        fc.nat(2),
        fc.tuple(type, content).map(([type, content]) => iopub(type, content)),
      ),
    );
    fc.assert(
      fc.property(messages, (messages) => {
        const outputs = reduce(...messages);
        const all = [0, 1, 2].flatMap((cell) => outputs.cell(cell).outputs);
        expect(all.filter((output) => !isValid(output))).toEqual([]);
      }),
    );
  });
});

describe('widgets', () => {
  test('their state, changes and buffers go into the notebook’s metadata', () => {
    const open = comm('comm_open', 'w', {
      _model_name: 'M',
      _model_module: 'm',
      _model_module_version: '1',
      value: 1,
    });
    const update = comm('comm_msg', 'w', { value: 2 }, { buffer_paths: [['data']] });
    update.buffers.push(Buffer.from('hi'));
    const state = { model_name: 'M', model_module: 'm', model_module_version: '1' };
    expect(reduce(open, update, comm('comm_close', 'w', {})).widgetsMetadata()).toEqual({
      'application/vnd.jupyter.widget-state+json': {
        version_major: 2,
        version_minor: 0,
        state: {
          w: {
            ...state,
            state: { _model_name: 'M', _model_module: 'm', _model_module_version: '1', value: 2 },
            buffers: [{ data: 'aGk=', encoding: 'base64', path: ['data'] }],
          },
        },
      },
    });
    expect(reduce().widgetsMetadata()).toBeUndefined();
  });

  test('an Output widget captures by msg_id, the innermost first, and tells the kernel once', () => {
    const outputs = reduce(
      comm('comm_open', 'o', outputWidget),
      comm('comm_open', 'i', outputWidget),
      comm('comm_msg', 'o', { msg_id: 'p' }),
      print('outer'),
      comm('comm_msg', 'i', { msg_id: 'p' }),
      print('inner'),
      comm('comm_msg', 'i', { msg_id: '' }),
      print(' again'),
      print('elsewhere', 'stdout', 'q'),
      comm('comm_msg', 'o', { msg_id: '' }),
      print(' free'),
    );
    expect(texts(outputs)).toEqual(['elsewhere free']);
    const told = outputs
      .takeComms()
      .map(({ comm_id: id, data }) => [id, (data['state'] as JsonObject)['outputs']]);
    expect(told).toEqual([
      ['o', [{ output_type: 'stream', name: 'stdout', text: 'outer again' }]],
      ['i', [{ output_type: 'stream', name: 'stdout', text: 'inner' }]],
    ]);
    expect(outputs.takeComms()).toEqual([]);
  });

  test('clear_output within an Output widget clears that', () => {
    const outputs = reduce(
      print('kept'),
      comm('comm_open', 'o', outputWidget),
      comm('comm_msg', 'o', { msg_id: 'p' }),
      print('gone'),
      iopub('clear_output', { wait: false }),
    );
    expect(texts(outputs)).toEqual(['kept']);
    expect(outputs.takeComms()[0]?.data['state']).toEqual({ outputs: [] });
  });
});
