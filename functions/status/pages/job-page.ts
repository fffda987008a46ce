/** A job's page: how it is, and its notebook in a frame. Without scripts it shows the job as it was when asked for. */
import type { NotebookResponse } from '../../../lib/contract/notebooks-api.ts';
import type { ApiReply } from '../../../lib/http/handler.ts';
import { Inline } from '../../../lib/html/document.ts';
import { markup, NOTHING, type Html } from '../../../lib/html/markup.ts';
import { ansiToHtml } from '../../../lib/html/ansi.ts';
import { durationText, instantText } from '../../../lib/html/time.ts';
import { badge, titleOf } from './job-words.ts';
import { page, SANDBOX } from './page.ts';
import { FAILED } from './render/cell.ts';
import { jobScript } from './script/job-script.ts';

const SCRIPT = new Inline(jobScript);

export interface JobPage {
  job: NotebookResponse;
  /** Where the service is found, for example /noteburst. */
  pathPrefix: string;
  isOwner: boolean;
  /** Whether there is an executed notebook to be downloaded. */
  hasNotebook: boolean;
  /** In how many seconds a job that waits may start. */
  startsInSeconds?: number | undefined;
  nowMs: number;
  headers: Record<string, string>;
}

export function jobPage(shown: JobPage): ApiReply {
  const { job, pathPrefix } = shown;
  const url = `${pathPrefix}/v1/notebooks/${job.job_id}`;
  const isLive = job.status !== 'complete';
  const title = titleOf(job);
  // What has an id and data-part is what the script brings up to date.
  const main = markup`<div id="job" data-url="${url}" data-view="${url}/view" data-live="${String(isLive)}">
<h1>${title}<small>${job.tags?.slice(1).map((tag) => `${tag} · `)}${job.job_id}</small></h1>
<div class="status" id="status" data-part role="status">${badge(job)} <span>${nowText(shown)}</span></div>
<div id="progress" data-part>${progress(job)}</div>
<dl id="facts" data-part>${facts(shown)}</dl>
<div id="problem" data-part>${problem(job, `${url}/view#${FAILED}`)}</div>
<div id="warnings" data-part>${warnings(job)}</div>
<div class="actions" id="actions" data-part>${actions(shown, url)}</div>
<p class="message" id="message" role="alert"></p>
${isLive && markup`<noscript><p class="quiet">Load this page again to see how the job goes on.</p></noscript>`}
</div>
<iframe id="notebook" name="notebook" title="The notebook" src="${url}/view" sandbox="${SANDBOX}"></iframe>`;
  const headers = shown.headers;
  return page({ title: `${title} · Noteburst`, home: `${pathPrefix}/`, main, script: SCRIPT, headers });
}

function nowText({ job, startsInSeconds }: JobPage): string {
  switch (job.phase) {
    case 'queued':
      return startsInSeconds === undefined
        ? 'for an executor'
        : `may start in about ${durationText(startsInSeconds * 1_000)}`;
    case 'leasing':
      return 'in a moment the first cell runs';
    case 'running':
      return job.progress?.current_cell === undefined ? '' : `cell ${job.progress.current_cell}`;
    case 'cancelling':
      return 'the running cell is being interrupted';
    case 'completed':
    case 'aborted':
    case 'failed':
      return '';
  }
}

function progress({ progress: run, phase }: NotebookResponse): Html {
  if (!run || run.cells_total === 0 || phase === 'queued') return NOTHING;
  const { cells_done: done, cells_total: total } = run;
  return markup`<div class="progress">
    <progress max="${total}" value="${done}" aria-label="Cells that have run"></progress
    ><span>${done} of ${total} cells</span>
  </div>`;
}

function facts({ job, nowMs }: JobPage): Html {
  const { enqueue_time, start_time, finish_time, environment, attempts = 0 } = job;
  const endMs = finish_time ? Date.parse(finish_time) : nowMs;
  const startMs = start_time ? Date.parse(start_time) : endMs;
  const rows: [string, Html | string | undefined][] = [
    ['Submitted (UTC)', markup`<time datetime="${enqueue_time}">${instantText(enqueue_time)}</time>`],
    ['Waited', durationText(startMs - Date.parse(enqueue_time))],
    ['Ran', start_time && durationText(endMs - startMs)],
    ['Timeout', durationText(job.timeout * 1_000)],
    ['Kernel', environment?.kernel ?? job.kernel_name],
    ['Image', environment?.image],
    ['Attempts', attempts > 1 ? String(attempts) : undefined],
  ];
  return markup`${rows.map(
    ([name, value]) =>
      value &&
      markup`<div>
        <dt>${name}</dt>
        <dd>${value}</dd>
      </div>`,
  )}`;
}

function problem({ ipynb_error, error, traceback }: NotebookResponse, failedUrl: string): Html {
  const isCancelled = error?.reason === 'cancelled';
  const title = ipynb_error?.name ?? (isCancelled ? 'Cancelled' : 'The notebook could not be run to its end');
  const text = ipynb_error?.message ?? error?.message;
  if (!ipynb_error && !error) return NOTHING;
  const hasPlace = ipynb_error !== undefined || error?.cell_index !== undefined;
  return markup`<section class="problem" aria-label="Error">
<h2>${title}</h2>
${text && markup`<p>${ansiToHtml(text)}</p>`}
${traceback && markup`<details><summary>Traceback</summary><pre>${ansiToHtml(traceback.join('\n'))}</pre></details>`}
${hasPlace && markup`<p><a href="${failedUrl}" target="notebook" data-find="${FAILED}">Go to the cell</a></p>`}
</section>`;
}

const warnings = ({ warnings: all }: NotebookResponse): Html =>
  all?.length
    ? markup`<ul class="warnings" aria-label="Warnings">${all.map((text) => markup`<li>${text}</li>`)}</ul>`
    : NOTHING;

function actions({ job, isOwner, hasNotebook }: JobPage, url: string): Html {
  const isCancellable = isOwner && job.status !== 'complete' && job.phase !== 'cancelling';
  return markup`${isCancellable && markup`<button type="button" class="plain" data-cancel>Cancel</button>`}${
    hasNotebook && markup`<a class="button" href="${url}/ipynb" download>Download notebook</a>`
  }`;
}
