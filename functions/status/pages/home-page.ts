/** The service's home: what it is, a form to run a notebook, and the caller's newest jobs. */
import { DEFAULT_KERNEL_NAME, type NotebookResponse } from '../../../lib/contract/notebooks-api.ts';
import type { ApiReply } from '../../../lib/http/handler.ts';
import { Inline } from '../../../lib/html/document.ts';
import { markup, type Html } from '../../../lib/html/markup.ts';
import { instantText } from '../../../lib/html/time.ts';
import { badge, shortId, titleOf } from './job-words.ts';
import { page } from './page.ts';
import { homeScript } from './script/home-script.ts';

const SCRIPT = new Inline(homeScript);

/** @param jobs the caller's, newest first */
export function homePage(jobs: readonly NotebookResponse[], pathPrefix: string): ApiReply {
  const notebooksUrl = `${pathPrefix}/v1/notebooks/`;
  const main = markup`<h1>Run a notebook</h1>
<p>
  Noteburst runs Jupyter notebooks on the science platform, each in a fresh kernel, and keeps the result for a while.
  Drop one here, or use <a href="${pathPrefix}/docs">the HTTP API</a>.
</p>
${form(notebooksUrl)}
<h2 id="jobs">Your recent jobs</h2>
${jobs.length === 0 ? markup`<p class="quiet">None yet.</p>` : list(jobs, notebooksUrl)}`;
  return page({ title: 'Noteburst', home: `${pathPrefix}/`, main, script: SCRIPT });
}

const form = (notebooksUrl: string): Html => markup`<form id="submit" data-url="${notebooksUrl}">
<label class="drop" id="drop"><strong>Drop an .ipynb file here, or choose one</strong>
  <input type="file" name="file" accept=".ipynb,application/x-ipynb+json" required></label>
<div class="fields">
  <label>Kernel <small>optional</small>
    <input name="kernel_name" placeholder="${DEFAULT_KERNEL_NAME}" autocomplete="off" spellcheck="false"></label>
  <label>Timeout <small>optional, such as 90 or 5m</small>
    <input name="timeout" placeholder="5m" autocomplete="off"></label>
  <label class="wide">Parameters <small>optional, a JSON object</small>
    <textarea name="parameters" rows="2" spellcheck="false"></textarea></label>
</div>
<button name="run">Run</button>
<p class="message" id="message" role="alert"></p>
<noscript><p class="quiet">Submitting from this page needs JavaScript; the HTTP API does not.</p></noscript>
</form>`;

const list = (jobs: readonly NotebookResponse[], notebooksUrl: string): Html =>
  markup`<ul class="jobs" aria-labelledby="jobs">${jobs.map((job) => item(job, notebooksUrl))}</ul>`;

const item = (job: NotebookResponse, notebooksUrl: string): Html => markup`
<li><a href="${notebooksUrl}${job.job_id}">${badge(job)} <span>${titleOf(job)}</span>
  <time class="quiet" datetime="${job.enqueue_time}">${instantText(job.enqueue_time)}</time>
  <code>${shortId(job)}</code></a></li>`;
