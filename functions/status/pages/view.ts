/**
 * `GET /v1/notebooks/{job_id}/view`: the notebook alone, as a document that the job's page shows in a frame. What it
 * shows is not trusted: it is sanitized, and the document has no origin, loads nothing, and runs but one script of ours.
 */
import { setImmediate } from 'node:timers/promises';
import { InvalidNotebookError, parseNotebook, type Notebook } from '../../../lib/contract/nbformat.ts';
import { etagOf, isKnown, revalidated } from '../../../lib/http/etag.ts';
import type { ApiReply, ApiRequest } from '../../../lib/http/handler.ts';
import { FROM_START } from '../../../lib/http/event-stream.ts';
import type { StoredEvent } from '../../../lib/queue/live-events.ts';
import type { JobSnapshot } from '../../../lib/queue/nbexec-queue.ts';
import { head, Inline, scriptTag } from '../../../lib/html/document.ts';
import { markup } from '../../../lib/html/markup.ts';
import { colours } from '../../../lib/html/colours.ts';
import { callerOf, fromRedis, jobOf, type StatusParts } from '../own-job.ts';
import { liveCells } from './live-notebook.ts';
import { documentHeaders, SANDBOX } from './page.ts';
import { cellToHtml, type ShownCell } from './render/cell.ts';
import { note } from './render/text.ts';
import { frameScript } from './script/frame-script.ts';
import { executedCells, withParameters } from './shown-cells.ts';
import { notebookStyle } from './style/notebook-style.ts';

/** To parse and show a larger one would cost the others too much. */
const MAX_NOTEBOOK_CHARS = 32 * 1024 * 1024;
const MAX_CELLS = 5_000;
/** Of one notebook: made to be slow, one could keep the function busy for minutes. */
const MAX_RENDER_MS = 3_000;

const STYLE = new Inline(colours + notebookStyle);
const SCRIPT = new Inline(frameScript);

const POLICY = [
  "default-src 'none'",
  `style-src ${STYLE.source}`,
  `script-src ${SCRIPT.source}`,
  'img-src data:',
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'self'",
  // Also when it is opened without the frame.
  `sandbox ${SANDBOX}`,
].join('; ');

export async function view(parts: StatusParts, request: ApiRequest, jobId: string): Promise<ApiReply> {
  const found = await jobOf(parts, request, await callerOf(parts, request), jobId, 'read');
  const headers = documentHeaders(POLICY);
  const resultId = found.outcome?.result_id;
  const etag = resultId === undefined ? undefined : etagOf([jobId, resultId, POLICY]);
  if (etag && isKnown(request, etag)) return { status: 304, headers: { ...headers, ...revalidated(etag) } };
  const shown = await fromRedis(request, () => notebookOf(parts, found, resultId));
  return {
    status: 200,
    headers: { ...headers, ...revalidated(etag) },
    stream: documentOf(shown),
  };
}

interface ShownNotebook {
  cells: ShownCell[];
  language: string;
}

/** @returns why there is nothing to be shown, when there is not */
async function notebookOf(
  parts: StatusParts,
  job: JobSnapshot,
  resultId: string | undefined,
): Promise<ShownNotebook | string> {
  const ipynb = resultId
    ? await parts.store.getResult(job.id, resultId)
    : await parts.store.getSource(job.id);
  if (ipynb === undefined) return 'The notebook is not kept any more.';
  if (ipynb.length > MAX_NOTEBOOK_CHARS)
    return 'The notebook is too large to be shown here: please download it.';
  try {
    const notebook = parseNotebook(ipynb);
    if (notebook.cells.length > MAX_CELLS)
      return 'The notebook has too many cells to be shown here: please download it.';
    if (resultId) return { cells: executedCells(notebook, job), language: languageOf(notebook) };
    const running = withParameters(notebook, job.data.parameters);
    return { cells: liveCells(running, await eventsOf(parts, job.id)), language: languageOf(notebook) };
  } catch (error) {
    if (error instanceof InvalidNotebookError) return error.message;
    throw error;
  }
}

async function eventsOf({ live }: StatusParts, jobId: string): Promise<StoredEvent[]> {
  const all: StoredEvent[] = [];
  let page = { lastId: FROM_START, more: true };
  while (page.more) {
    const { events, ...next } = await live.events(jobId, page.lastId);
    all.push(...events);
    page = next;
  }
  return all;
}

/** As Jupyter names it; a notebook that was never run may not say. */
function languageOf({ metadata }: Notebook): string {
  const { language_info: info, kernelspec: spec } = metadata as Record<
    string,
    Record<string, unknown> | undefined
  >;
  const language = info?.['name'] ?? spec?.['language'];
  return typeof language === 'string' ? language.toLowerCase() : 'python';
}

/** Cell by cell, so that others get their turn in between. */
async function* documentOf(shown: ShownNotebook | string): AsyncGenerator<string> {
  yield markup`${head('Notebook', STYLE)}
<body>
<main class="notebook">
`.text;
  if (typeof shown === 'string') yield note(shown).text;
  else {
    let leftMs = MAX_RENDER_MS;
    for (const cell of shown.cells) {
      const begunMs = performance.now();
      if (leftMs <= 0) {
        yield note('The rest takes too long to be shown here: please download the notebook.').text;
        break;
      }
      const { text } = cellToHtml(cell, shown.language, begunMs + leftMs);
      leftMs -= performance.now() - begunMs;
      yield text;
      await setImmediate();
    }
  }
  yield markup`</main>
${scriptTag(SCRIPT)}
</body>
</html>
`.text;
}
