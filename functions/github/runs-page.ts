import type { SuiteRun } from '../../lib/contract/suite-run.ts';
import { colours } from '../../lib/html/colours.ts';
import { head, Inline } from '../../lib/html/document.ts';
import { markup, type Html } from '../../lib/html/markup.ts';
import { durationText, instantText } from '../../lib/html/time.ts';
import type { ApiReply } from '../../lib/http/handler.ts';

const STYLE = new Inline(`${colours}
body { background: var(--page); }
main { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; background: var(--paper); }
th, td { padding: 0.5rem 0.75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
.success { color: var(--good); } .failure, .action_required { color: var(--bad); }
`);
const POLICY = [
  "default-src 'none'",
  `style-src ${STYLE.source}`,
  'img-src data:',
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** A repository's runs as a page. @param below where each is, by its id */
export function runsPage(repository: string, runs: readonly SuiteRun[], below: string): ApiReply {
  const content = markup`${head(`${repository} · Noteburst`, STYLE)}
<body>
<main>
<h1>Suite of ${repository}</h1>
${runs.length === 0 ? markup`<p>It has not been run in the last 30 days.</p>` : table(runs, below)}
</main>
</body>
</html>
`;
  return {
    status: 200,
    headers: { 'Content-Security-Policy': POLICY, 'Referrer-Policy': 'no-referrer', Vary: 'Accept' },
    body: { type: 'text/html; charset=utf-8', content: content.text },
  };
}

const table = (runs: readonly SuiteRun[], below: string): Html => markup`<div class="wide"><table>
<thead><tr><th scope="col">Run</th><th scope="col">Result</th><th scope="col">Branch</th><th scope="col">Commit</th><th scope="col">Cause</th><th scope="col">Took</th></tr></thead>
<tbody>${runs.map((run) => row(run, below))}</tbody>
</table></div>`;

const row = (run: SuiteRun, below: string): Html => markup`<tr>
<td><a href="${below}/${run.id}">${instantText(run.started)} UTC</a></td>
<td class="${run.conclusion ?? ''}">${run.title ?? 'running'}</td>
<td>${run.branch}</td>
<td><code>${run.commit.slice(0, 10)}</code></td>
<td>${causeOf(run)}</td>
<td>${run.finished === undefined ? '' : durationText(Date.parse(run.finished) - Date.parse(run.started))}</td>
</tr>
`;

function causeOf({ event, pull_request: number, schedule }: SuiteRun): string {
  if (number !== undefined) return `${event === 'merge' ? 'merge of' : 'pull request'} #${number}`;
  return schedule === undefined ? event : `schedule ${schedule}`;
}
