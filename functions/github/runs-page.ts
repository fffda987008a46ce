import { LAST_ATTEMPT_MS, MAX_RUN_MS, type SuiteRun } from '../../lib/contract/suite-run.ts';
import { markup, type Html } from '../../lib/html/markup.ts';
import { durationText, instantText } from '../../lib/html/time.ts';
import type { ApiReply } from '../../lib/http/handler.ts';
import { KEPT_DAYS } from '../../lib/queue/suite-runs.ts';
import { page, RELOAD_SECONDS } from './page.ts';

export interface ShownRuns {
  repository: string;
  runs: readonly SuiteRun[];
  /** The service's, for example /noteburst. */
  pathPrefix: string;
}

/** A repository's runs as a page. @param below where each is, by its id */
export function runsPage({ repository, runs, pathPrefix }: ShownRuns, below: string): ApiReply {
  const isLive = runs.some(isRunning);
  const main = markup`<h1>Suite of ${repository}</h1>
${isLive && RELOADED}
${runs.length === 0 ? markup`<p>It has not been run in the last ${KEPT_DAYS} days.</p>` : table(runs, below)}`;
  return page({ title: repository, pathPrefix, main, isLive });
}

/** A run that has no report, or none yet. */
export function runPage(shown: ShownRuns, below: string): ApiReply {
  const { repository, runs, pathPrefix } = shown;
  const isLive = runs.some(isRunning);
  const main = markup`<h1>A run of the suite of ${repository}</h1>
${isLive ? RELOADED : NO_REPORT}
${table(runs, below)}
<p class="after"><a href="${below}">All runs of ${repository}</a></p>`;
  return page({ title: repository, pathPrefix, main, isLive });
}

const RELOADED = markup`<p>This page loads itself again every ${RELOAD_SECONDS} seconds as long as something runs.</p>`;
const NO_REPORT = markup`<p>There is no report: no notebook was run, or the report is too large, or it made room for those of later runs. The check run on GitHub tells more.</p>`;

/** Longer than any run takes, with all of its attempts: who was to end it has not. */
const LONGEST_MS = MAX_RUN_MS + LAST_ATTEMPT_MS;

const sinceMs = ({ started }: SuiteRun): number => Date.now() - Date.parse(started);
const isRunning = (run: SuiteRun): boolean => run.state === 'running' && sinceMs(run) < LONGEST_MS;

const table = (runs: readonly SuiteRun[], below: string): Html => markup`<table>
<thead><tr><th scope="col">Run</th><th scope="col">Result</th><th scope="col">Branch</th><th scope="col">Commit</th><th scope="col">Cause</th><th scope="col">Took</th></tr></thead>
<tbody>${runs.map((run) => row(run, below))}</tbody>
</table>`;

const row = (run: SuiteRun, below: string): Html => markup`<tr>
<th scope="row" class="run"><a href="${below}/${run.id}">${instantText(run.started)} UTC</a></th>
<td><span class="badge ${lookOf(run)}">${stateOf(run)}</span> ${run.title}</td>
<td class="branch" data-is="Branch">${run.branch}</td>
<td class="short" data-is="Commit"><code>${run.commit.slice(0, 10)}</code></td>
<td class="short" data-is="Cause">${causeOf(run)}</td>
<td class="short" data-is="Took">${tookOf(run)}</td>
</tr>
`;

function lookOf(run: SuiteRun): string {
  if (run.state === 'running') return 'busy';
  if (run.conclusion === 'success') return 'good';
  return run.conclusion === 'neutral' ? '' : 'bad';
}

/** A conclusion as GitHub calls it. */
function stateOf(run: SuiteRun): string {
  const { state, conclusion = 'ended' } = run;
  if (state === 'running') return isRunning(run) ? 'Running' : 'Has not ended';
  return conclusion.replaceAll('_', ' ').replace(/^[a-z]/, (first) => first.toUpperCase());
}

function tookOf(run: SuiteRun): string {
  if (run.finished !== undefined) return durationText(Date.parse(run.finished) - Date.parse(run.started));
  return isRunning(run) ? `${durationText(sinceMs(run))} so far` : '';
}

function causeOf({ event, pull_request: number, schedule }: SuiteRun): string {
  if (number !== undefined) return `${event === 'merge' ? 'merge of' : 'pull request'} #${number}`;
  if (event === 'rerun') return 're-run';
  return schedule === undefined ? event : `schedule ${schedule}`;
}
