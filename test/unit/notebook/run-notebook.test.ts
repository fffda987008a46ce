import { describe, expect, test } from 'vitest';
import { checkNotebook, type CodeCell, type Notebook } from '../../../lib/contract/nbformat.ts';
import type { ExecuteReply, JsonObject, KernelMessage } from '../../../workers/executor/kernel/messages.ts';
import { makeMessage } from '../../../workers/executor/kernel/messages.ts';
import type { NotebookKernel } from '../../../workers/executor/kernel/leased-kernel.ts';
import {
  KernelDiedError,
  MessageTooLargeError,
  OutputLostError,
} from '../../../workers/executor/kernel/kernel-error.ts';
import { OutputLimitError } from '../../../workers/executor/notebook/output-budget.ts';
import {
  CellTimeoutError,
  runNotebook,
  type Progress,
} from '../../../workers/executor/notebook/run-notebook.ts';

type Say = (type: string, content: JsonObject) => void;
type Step = (say: Say, interrupted: Promise<void>) => ExecuteReply | Promise<ExecuteReply>;

/** A kernel that does for each source what the script says. */
function scripted(script: Record<string, Step>) {
  const interrupt = Promise.withResolvers<void>();
  const ran: { code: string; stopOnError: boolean | undefined }[] = [];
  const kernel: NotebookKernel = {
    languageInfo: { name: 'python' },
    sendComm: () => true,
    interrupt: () => Promise.resolve(interrupt.resolve()),
    execute: async (code, options) => {
      ran.push({ code, stopOnError: options.stopOnError });
      const say: Say = (type, content) => options.onIopub(iopub(type, content));
      say('execute_input', { execution_count: ran.length });
      const step = script[code] ?? (() => ({ status: 'ok', execution_count: ran.length }) as const);
      return { reply: await step(say, interrupt.promise), repliedAt: '2026-01-01T00:00:00Z' };
    },
  };
  return { kernel, ran };
}

function iopub(type: string, content: JsonObject): KernelMessage {
  const message = makeMessage('kernel_info_request', 'shell', {}, 'kernel');
  message.header.msg_type = type;
  return { ...message, channel: 'iopub', content };
}

const old = [{ output_type: 'stream', name: 'stdout', text: 'old' }];
const code = (source: string | string[], tags?: string[]) => ({
  cell_type: 'code',
  source,
  metadata: tags === undefined ? {} : { tags },
  outputs: old,
  execution_count: 99,
});
const notebook = (...cells: object[]): Notebook =>
  checkNotebook({ nbformat: 4, nbformat_minor: 4, metadata: { kernelspec: { name: 'k' } }, cells });

const raise: Step = (say) => {
  const error = { ename: 'E', evalue: 'v', traceback: ['t'] };
  say('error', error);
  return { status: 'error', ...error };
};
const never = new AbortController().signal;
const error = { output_type: 'error', ename: 'E', evalue: 'v', traceback: ['t'] };

describe('runNotebook', () => {
  test('runs code cells in order, writing outputs, counts, times and the language', async () => {
    const { kernel, ran } = scripted({
      'b\nc': (say) => {
        say('stream', { name: 'stdout', text: 'hello' });
        return { status: 'ok', execution_count: 2 };
      },
    });
    const input = notebook(
      code('a'),
      { cell_type: 'markdown', source: '# m', metadata: {} },
      code(['b\n', 'c']),
    );
    const before = structuredClone(input);
    const seen: Progress[] = [];
    const result = await runNotebook({
      notebook: input,
      kernel,
      signal: never,
      onProgress: (p) => seen.push(p),
    });
    expect(result).toEqual({ notebook: expect.any(Object) as object, warnings: [] });
    expect(input).toEqual(before);
    expect(ran.map(({ code }) => code)).toEqual(['a', 'b\nc']);
    expect(result.notebook.metadata).toEqual({
      kernelspec: { name: 'k' },
      language_info: { name: 'python' },
    });
    expect(result.notebook.cells[0]).toMatchObject({ outputs: [], execution_count: 1 });
    expect(result.notebook.cells[2]).toMatchObject({
      source: ['b\n', 'c'],
      outputs: [{ output_type: 'stream', name: 'stdout', text: 'hello' }],
      execution_count: 2,
      metadata: { execution: { 'shell.execute_reply': '2026-01-01T00:00:00Z' } },
    });
    expect(seen.map(({ type, cell_index: cell, cells_done: done }) => [type, cell, done])).toEqual([
      ['cell_started', 0, 0],
      ['cell_finished', 0, 1],
      ['cell_started', 2, 1],
      ['cell_finished', 2, 2],
    ]);
    expect(seen.every((progress) => progress.cells_total === 2)).toBe(true);
  });

  test('empty cells and those tagged skip-execution stay as they are', async () => {
    const { kernel, ran } = scripted({});
    const input = notebook(code(''), code(' \n'), code('x', ['skip-execution']));
    const result = await runNotebook({ notebook: input, kernel, signal: never });
    expect(ran).toEqual([]);
    expect(result.notebook.cells).toEqual(input.cells);
  });

  test('an exception stops the notebook; later cells keep what they had', async () => {
    const { kernel, ran } = scripted({ bad: raise });
    const input = notebook(code('bad'), code('never'));
    const result = await runNotebook({ notebook: input, kernel, signal: never });
    expect(result.error).toEqual({ name: 'E', message: 'v', traceback: ['t'], cell_index: 0 });
    expect(result.notebook.cells[0]).toMatchObject({ outputs: [error], execution_count: 1 });
    expect(result.notebook.cells[1]).toEqual(input.cells[1]);
    expect(ran).toEqual([{ code: 'bad', stopOnError: true }]);
  });

  test('raises-exception lets the notebook go on', async () => {
    const { kernel, ran } = scripted({ bad: raise });
    const result = await runNotebook({
      notebook: notebook(code('bad', ['raises-exception']), code('next')),
      kernel,
      signal: never,
    });
    expect(result.error).toBeUndefined();
    expect(ran.map(({ stopOnError }) => stopOnError)).toEqual([false, true]);
  });

  test.each([{ allow_errors: true }, { execution: { allow_errors: true } }])(
    'so does metadata of %j, in every cell',
    async (metadata) => {
      const { kernel, ran } = scripted({ bad: raise });
      const input = { ...notebook(code('bad'), code('next')), metadata };
      const result = await runNotebook({ notebook: input, kernel, signal: never });
      expect(result).toEqual({ notebook: expect.any(Object) as object, warnings: [] });
      expect(ran.map(({ stopOnError }) => stopOnError)).toEqual([false, false]);
    },
  );

  test('cells of 4.5 get the ids that they miss, and no id comes twice', async () => {
    const { kernel } = scripted({});
    const cells = [{ ...code('a'), id: 'a' }, code('b'), { ...code('c'), id: 'a' }];
    const input = { ...notebook(...cells), nbformat_minor: 5 };
    const result = await runNotebook({ notebook: input, kernel, signal: never });
    const ids = result.notebook.cells.map(({ id }) => id);
    expect(ids).toEqual([
      'a',
      expect.stringMatching(/^[0-9a-f]{8}$/),
      expect.stringMatching(/^[0-9a-f]{8}$/),
    ]);
    expect(new Set(ids).size).toBe(3);
  });

  test('output far beyond the limits stops the notebook with an OutputLimitError', async () => {
    const { kernel, ran } = scripted({
      flood: async (say, interrupted) => {
        say('stream', { name: 'stdout', text: 'x'.repeat(2_000) });
        await interrupted;
        return raise(say, interrupted);
      },
    });
    const outputLimits = { maxOutputBytes: 100, maxOutputs: 10 };
    const input = notebook(code('flood'), code('never'));
    const result = await runNotebook({ notebook: input, kernel, signal: never, outputLimits });
    expect(result.failure).toEqual({ error: expect.any(OutputLimitError) as Error, cell_index: 0 });
    expect(result.interrupted).toBeUndefined();
    expect(result.warnings).toHaveLength(1);
    const { outputs } = result.notebook.cells[0] as CodeCell;
    expect(outputs).toMatchObject([{ text: 'x'.repeat(100) }, { name: 'stderr' }, { output_type: 'error' }]);
    expect(ran).toHaveLength(1);
  });

  test.each(['throw', 'report'] as const)(
    'when output was lost with the websocket, the kernel is to %s it, and what it reports is a warning',
    async (lostOutput) => {
      const { kernel } = scripted({});
      const asked: unknown[] = [];
      const cut: NotebookKernel = {
        ...kernel,
        execute: async (code, options) => {
          asked.push(options.lostOutput);
          return { ...(await kernel.execute(code, options)), ...(code === 'cut' && { missing: 'output' }) };
        },
      };
      const input = notebook(code('cut'), code('next'));
      const result = await runNotebook({ notebook: input, kernel: cut, signal: never, lostOutput });
      expect(asked).toEqual([lostOutput, lostOutput]);
      expect(result.warnings).toEqual([
        'Cell 0: the connection to the lab was cut; some of its output may be missing',
      ]);
      expect(result.notebook.cells[1]).toMatchObject({ execution_count: 2 });
    },
  );

  test('one message that is too large ends it likewise, and its cell says so', async () => {
    const tooLarge = new MessageTooLargeError(1);
    const { kernel } = scripted({ large: () => Promise.reject(tooLarge) });
    const result = await runNotebook({ notebook: notebook(code('large')), kernel, signal: never });
    expect(result.failure?.error).toBeInstanceOf(OutputLimitError);
    expect(result.failure?.error.cause).toBe(tooLarge);
    expect(result.notebook.cells[0]).toMatchObject({ outputs: [{ name: 'stderr' }] });
    expect(result.warnings).toHaveLength(1);
  });

  test('an error message the lab dropped is shown from the reply; one never sent is not', async () => {
    const reply: ExecuteReply = { status: 'error', ename: 'E', evalue: 'v', traceback: ['t'] };
    const { kernel } = scripted({
      flood: (say) => {
        say('stream', { name: 'stderr', text: 'IOPub message rate exceeded.\n' });
        return reply;
      },
      group: () => reply,
    });
    const flood = await runNotebook({ notebook: notebook(code('flood')), kernel, signal: never });
    expect(flood.notebook.cells[0]).toMatchObject({ outputs: [{ output_type: 'stream' }, error] });
    expect(flood.warnings).toHaveLength(1);
    const group = await runNotebook({ notebook: notebook(code('group')), kernel, signal: never });
    expect(group).toMatchObject({ error: { name: 'E' }, notebook: { cells: [{ outputs: [] }] } });
  });

  test.each(['idle', 'output'] as const)(
    'an error message that may be lost (%s is missing) is shown from the reply',
    async (missing) => {
      const reply: ExecuteReply = { status: 'error', ename: 'E', evalue: 'v', traceback: ['t'] };
      const { kernel } = scripted({ bad: () => reply });
      const cut: NotebookKernel = {
        ...kernel,
        execute: async (source, options) => ({ ...(await kernel.execute(source, options)), missing }),
      };
      const result = await runNotebook({ notebook: notebook(code('bad')), kernel: cut, signal: never });
      expect(result.notebook.cells[0]).toMatchObject({ outputs: [error] });
    },
  );

  test('a kernel that fails is not the notebook’s error, and the outputs so far are kept', async () => {
    const died = new Error('The kernel died');
    const { kernel } = scripted({
      die: (say) => {
        say('stream', { name: 'stdout', text: 'last words' });
        return Promise.reject(died);
      },
    });
    const result = await runNotebook({ notebook: notebook(code('a'), code('die')), kernel, signal: never });
    expect(result).toMatchObject({ failure: { error: died, cell_index: 1 } });
    expect(result.error).toBeUndefined();
    expect(result.notebook.cells[1]).toMatchObject({ outputs: [{ text: 'last words' }], execution_count: 2 });
  });

  test('the signal interrupts the cell, whose KeyboardInterrupt is kept', async () => {
    const { kernel, ran } = scripted({
      long: async (say, interrupted) => {
        await interrupted;
        return raise(say, interrupted);
      },
    });
    const reason = new Error('cancelled');
    const abort = new AbortController();
    setTimeout(() => abort.abort(reason), 20);
    const input = notebook(code('long'), code('never'));
    const result = await runNotebook({ notebook: input, kernel, signal: abort.signal });
    expect(result.interrupted).toMatchObject({ reason, cell_index: 0, error: { name: 'E' } });
    expect(result.error).toBeUndefined();
    expect(result.notebook.cells).toMatchObject([{ outputs: [error] }, { outputs: old }]);
    expect(ran).toHaveLength(1);
  });

  test.each([new KernelDiedError('its process is gone'), new OutputLostError()])(
    'a run that is stopped ends as stopped, with what it has, though the interrupt comes to this: %s',
    async (failure) => {
      const { kernel } = scripted({
        long: async (say, interrupted) => {
          say('stream', { name: 'stdout', text: 'last words' });
          await interrupted;
          throw failure;
        },
      });
      const input = notebook(code('long'), code('never'));
      const result = await runNotebook({ notebook: input, kernel, signal: never, cellTimeoutMs: 20 });
      expect(result.interrupted).toEqual({ reason: expect.any(CellTimeoutError) as Error, cell_index: 0 });
      expect(result.failure).toBeUndefined();
      expect(result.notebook.cells[0]).toMatchObject({ outputs: [{ text: 'last words' }] });
      expect(result.warnings).toEqual([expect.stringContaining(failure.message)]);
    },
  );

  test('a cell that does not heed the interrupt is given up after the grace', async () => {
    const { kernel } = scripted({ stuck: () => new Promise(() => undefined) });
    const signal = AbortSignal.timeout(20);
    const input = notebook(code('stuck'));
    const result = await runNotebook({ notebook: input, kernel, signal, interruptGraceMs: 30 });
    expect(result.interrupted).toMatchObject({ cell_index: 0 });
    expect(result.notebook.cells[0]).toMatchObject({ execution_count: 1 });
  });

  test('a signal that fired before runs nothing', async () => {
    const { kernel, ran } = scripted({});
    const signal = AbortSignal.abort(new Error('cancelled'));
    const result = await runNotebook({ notebook: notebook(code('a')), kernel, signal });
    expect(result.interrupted).toMatchObject({ cell_index: 0 });
    expect(ran).toEqual([]);
  });
});
