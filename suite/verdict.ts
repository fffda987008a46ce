/** What a job's end says of the notebook. */
import { stripVTControlCharacters } from 'node:util';
import { hasTag, INJECTED_TAG, isExecutable } from '../lib/contract/cell-tags.ts';
import type { ErrorReason } from '../lib/contract/execution-error.ts';
import { parseNotebook, type Notebook } from '../lib/contract/nbformat.ts';
import type { NotebookResponse } from '../lib/contract/notebooks-api.ts';
import type { Failure, Place, Verdict } from './report.ts';
import type { NotebookSource } from './source/notebook-source.ts';
import type { ExpectedFailure } from './suite-file.ts';

/** The reasons that are the service's fault, so that nothing is known of the notebook. */
const TROUBLE: ReadonlySet<ErrorReason> = new Set<ErrorReason>(['expired', 'lab_lost', 'executor_lost']);
/** Nor is it known when there was no kernel to run it. */
const NO_KERNEL: ErrorReason = 'unknown_kernel';

export interface Judgement {
  verdict: Verdict;
  failure?: Failure;
}

/** Judges a job that has ended; `executed` is its notebook as far as it came. */
export function judge(job: NotebookResponse, source: NotebookSource, expected?: ExpectedFailure): Judgement {
  const { error } = job;
  if (error?.reason === 'cancelled') return { verdict: 'cancelled' };
  const failure = failureOf(job, source);
  if (!failure) return passed(expected);
  const isUnknown = error && (error.reason === NO_KERNEL || isTrouble(error));
  return isUnknown ? { verdict: 'error', failure } : failed(failure, expected);
}

/** Whether an error says nothing of the notebook; Noteburst 0.27 gives no reason. */
export function isTrouble({ reason, code }: NonNullable<NotebookResponse['error']>): boolean {
  return reason ? TROUBLE.has(reason) : code !== 'timeout';
}

export function passed(expected: ExpectedFailure | undefined): Judgement {
  if (!expected) return { verdict: 'passed' };
  const message = `It passed, though it is expected to fail: ${expected.reason}`;
  return { verdict: 'unexpected_pass', failure: { reason: 'unexpected_pass', message } };
}

/** A notebook that fails otherwise than expected has failed. */
export function failed(failure: Failure, expected: ExpectedFailure | undefined): Judgement {
  const asExpected =
    expected && (expected.error === undefined || expected.error === (failure.name ?? failure.reason));
  return { verdict: asExpected ? 'expected_failure' : 'failed', failure };
}

function failureOf(job: NotebookResponse, source: NotebookSource): Failure | undefined {
  const { ipynb_error: raised, error, traceback } = job;
  if (!raised && !error) return undefined;
  const lines = traceback === undefined ? {} : { traceback };
  const place = placeOf(job, source);
  const at = place ? { place } : {};
  if (raised) {
    return { reason: 'exception', name: raised.name, message: raised.message, ...lines, ...at };
  }
  const reason = error?.reason ?? error?.code ?? 'unknown';
  const message = error?.message ?? 'The service did not say why it could not run the notebook';
  return { reason, message, ...lines, ...at };
}

/** Where in the caller's file the run stopped. */
function placeOf(job: NotebookResponse, source: NotebookSource): Place | undefined {
  const text = job.ipynb ?? job.partial_ipynb;
  const executed = text === undefined ? source.notebook : parseNotebook(text);
  const index = job.error ? job.error.cell_index : raisedIn(executed, job.progress?.cells_done);
  const found = index === undefined ? undefined : executed.cells[index];
  if (index === undefined || !found) return undefined;
  const cell = inSource(index, executed, source.notebook);
  if (cell === undefined) return undefined;
  const count = found.cell_type === 'code' ? found.execution_count : null;
  const line = lineInCell(job.traceback ?? [], count);
  const fileLine = source.lineOf(cell, line);
  return {
    cell,
    ...(line === undefined ? {} : { cell_line: line }),
    ...(fileLine === undefined ? {} : { file_line: fileLine }),
  };
}

/** An exception ends the run, so that it was raised by the last of the cells that have ended. */
function raisedIn({ cells }: Notebook, done: number | undefined): number | undefined {
  const ran = cells.flatMap((cell, index) => (isExecutable(cell) ? [index] : []));
  if (done !== undefined) return ran[done - 1];
  // A service that does not tell: Noteburst 0.27.
  return ran.find((index) => {
    const cell = cells[index];
    if (cell?.cell_type !== 'code' || hasTag(cell, 'raises-exception')) return false;
    return cell.outputs.some(({ output_type: type }) => type === 'error');
  });
}

/**
 * The index that a cell of an executed notebook has in the caller's file, which may have no cell of injected parameters;
 * undefined for that cell itself.
 */
export function inSource(index: number, executed: Notebook, source: Notebook): number | undefined {
  if (executed.cells.length === source.cells.length) return index;
  const injected = executed.cells.findIndex((cell) => hasTag(cell, INJECTED_TAG));
  if (injected === -1 || index < injected) return index;
  return index === injected ? undefined : index - 1;
}

/** The deepest line that the traceback names of the cell with this execution count: IPython's `Cell In[3], line 2`. */
function lineInCell(traceback: readonly string[], count: number | null): number | undefined {
  const text = stripVTControlCharacters(traceback.join('\n'));
  const frames = [
    ...text.matchAll(/(?:Cell In|Input In) ?\[(\d+)\](?:, in <cell line: (\d+)>|, line (\d+))/g),
  ];
  const own = frames.findLast(([, cell]) => count === null || Number(cell) === count);
  const line = own?.[3] ?? own?.[2];
  return line === undefined ? undefined : Number(line);
}
