import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseNotebook } from '../../lib/contract/nbformat.ts';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { platform } from '../support/platform.ts';
import { Stack } from '../support/stack.ts';
import { corpus, type CorpusNotebook } from './corpus.ts';
import { differencesOn } from './differences.ts';
import { installBashKernel, runWithNbclient, validate, type NbclientOutcome } from './nbclient.ts';
import { normalise } from './normalise.ts';

const NOTEBOOKS = corpus();
const DIFFERENCES = differencesOn(platform().kind);
const ours = new Map<string, NotebookResponse>();
let theirs: Record<string, NbclientOutcome>;
let complaints: Record<string, string | null>;

beforeAll(async () => {
  const dir = mkdtempSync(join(platform().scratchDir, 'fidelity-'));
  const sources = NOTEBOOKS.map(({ name, ipynb }) => ({ name, path: written(dir, name, ipynb) }));
  await using stack = await Stack.start({ executorEnv: { NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: '4' } });
  const executor = await stack.startExecutor();
  await Promise.all([executor.ready(), installBashKernel()]);
  // One after the other: side by side each would only slow the other down.
  theirs = await runWithNbclient(dir, sources);
  await Promise.all(NOTEBOOKS.map(async (notebook) => ours.set(notebook.name, await serve(stack, notebook))));
  complaints = await validate(
    [...ours].map(([name, job]) => ({ name, path: written(dir, `${name}-executed`, executed(job)) })),
  );
}, 420_000);

async function serve(stack: Stack, { ipynb, kernelName }: CorpusNotebook): Promise<NotebookResponse> {
  const id = await stack.submit(ipynb, { kernel_name: kernelName });
  return stack.untilComplete(id, { timeoutMs: 120_000, everyMs: 300 });
}

function written(dir: string, name: string, text: string): string {
  const path = join(dir, `${name}.ipynb`);
  writeFileSync(path, text);
  return path;
}

/** The notebook as far as it was executed. */
const executed = ({ ipynb, partial_ipynb }: NotebookResponse): string => ipynb ?? partial_ipynb ?? '';

/** How a job ended, in nbclient's terms. */
function endOf({ ipynb_error, error }: NotebookResponse): object {
  if (ipynb_error) return { error: ipynb_error };
  if (error?.reason === 'kernel_died') return { died: true };
  return error ? { unexpected: error } : {};
}

/** Both outcomes of a notebook, ready to be compared. */
function outcomes({ name, ipynb }: CorpusNotebook): { got: object; expected: NbclientOutcome } {
  const job = ours.get(name) as NotebookResponse;
  const source = parseNotebook(ipynb);
  const { notebook, ...end } = theirs[name] as NbclientOutcome;
  const expected = { ...end, notebook: normalise(notebook, source) };
  return { got: { ...endOf(job), notebook: normalise(parseNotebook(executed(job)), source) }, expected };
}

const outcomesOf = (name: string) =>
  outcomes(NOTEBOOKS.find((notebook) => notebook.name === name) as CorpusNotebook);

describe('the service gives what nbclient gives', () => {
  test.each(NOTEBOOKS)('$name', (notebook) => {
    const { got, expected } = outcomes(notebook);
    const plain = structuredClone(expected);
    DIFFERENCES[notebook.name]?.change(expected);
    expect(got).toEqual(expected);
    // A difference on purpose that is none any more has to go from the list.
    expect(isDeepStrictEqual(plain, expected)).toBe(!(notebook.name in DIFFERENCES));
  });

  test.each(NOTEBOOKS)('nbformat finds nothing wrong with $name', ({ name }) => {
    expect(complaints[name]).toBeNull();
  });
});

describe('the comparison', () => {
  // Each of them the smallest change that a reader would notice.
  test.each<[name: string, from: string, to: string]>([
    ['streams-of-one-name-coalesce', String.raw`a\nb`, String.raw`a\n b`],
    ['streams-stdout-and-stderr-interleaved', '"name":"stderr"', '"name":"stdout"'],
    ['execute-result', '"execution_count":1', '"execution_count":2'],
    ['images-png', '"image/png":"', '"image/png":"A'],
    [
      'json-keeps-its-structure',
      '"application/json":{"list":["a","b"]',
      '"application/json":{"list":["b","a"]',
    ],
    ['error-after-output', '"ename":"KeyError"', '"ename":"Key"'],
    ['error-nested-and-chained', 'During handling', 'while handling'],
    ['widgets-keep-their-state', '"value":7', '"value":3'],
    ['widgets-output-captures', String.raw`captured\n`, String.raw`\n`],
    ['cells-with-ids', '"id":"B-_9"', '"id":"B-_8"'],
    ['cells-with-metadata', '"scrolled":"auto"', '"scrolled":true'],
    ['execution-timings-are-replaced', '"iopub.status.busy":"a time",', ''],
    ['metadata-of-the-notebook', '"name":"python"', '"name":"julia"'],
  ])('of %s fails when %j is %j', (name, from, to) => {
    const { got, expected } = outcomes(
      NOTEBOOKS.find((notebook) => notebook.name === name) as CorpusNotebook,
    );
    const text = JSON.stringify(got);
    expect(text).toContain(from);
    expect(JSON.parse(text.replace(from, to))).not.toEqual(expected);
  });

  test('fails when an output is missing, or one more', () => {
    const { got, expected } = outcomesOf('outputs-of-many-kinds-in-order');
    const { cells } = (got as NbclientOutcome).notebook;
    const outputs = (cells[0] as unknown as { outputs: unknown[] }).outputs;
    outputs.push(outputs.pop(), outputs[0]);
    expect(got).not.toEqual(expected);
    outputs.splice(-2);
    expect(got).not.toEqual(expected);
  });

  test('has a reason in the docs for each difference', () => {
    const docs = readFileSync(join(import.meta.dirname, '../../docs/fidelity.md'), 'utf8');
    const names = NOTEBOOKS.map(({ name }) => name);
    for (const [name, { heading }] of Object.entries(DIFFERENCES)) {
      expect(names).toContain(name);
      expect(docs).toContain(`### ${heading}\n`);
    }
  });
});
