/**
 * A report as one HTML page that is opened as a file or from an artifact: it loads nothing, works without scripts, and shows
 * whatever notebooks say as text.
 */
import { colours } from '../../../lib/html/colours.ts';
import { head, Inline, scriptTag } from '../../../lib/html/document.ts';
import { markup, NOTHING, type Html } from '../../../lib/html/markup.ts';
import { durationText, instantText } from '../../../lib/html/time.ts';
import type { Comparison } from '../../compare.ts';
import { countVerdicts, FAILING, type CaseResult, type SuiteReport } from '../../report.ts';
import { countsText, ORDER, suiteMs, suiteVerdict, VERDICTS } from '../words.ts';
import { caseToHtml, LOOKS } from './case.ts';
import { changesToHtml } from './changes.ts';
import { reportScript } from './script.ts';
import { reportStyle } from './style.ts';

/** Without a script: a check box that is not checked hides the results with its verdict. */
const filterStyle = ORDER.map(
  (verdict) =>
    `body:has(#show-${verdict}:not(:checked)) .case[data-verdict='${verdict}'] { display: none; }\n`,
).join('');

const STYLE = new Inline(colours + reportStyle + filterStyle);
const SCRIPT = new Inline(reportScript);
const POLICY = [
  "default-src 'none'",
  `style-src ${STYLE.source}`,
  `script-src ${SCRIPT.source}`,
  'img-src data:',
  "form-action 'none'",
  "base-uri 'none'",
].join('; ');

/** Tracebacks of more failures than that are opened by the reader. */
const MAX_OPEN = 5;

const BADGES = {
  passed: ['Passed', 'good'],
  failed: ['Failed', 'bad'],
  incomplete: ['Incomplete', 'busy'],
} as const;

/** @param comparison with the run before, if there was one */
export function htmlReport(report: SuiteReport, comparison?: Comparison): string {
  const { suite, results } = report;
  const [word, look] = BADGES[suiteVerdict(report)];
  return markup`${head(`${word}: ${suite} · Noteburst`, STYLE, POLICY)}
<body>
<header class="top">Noteburst</header>
<main>
<h1>${suite}<small>${origin(report)}</small></h1>
<div class="status"><span class="badge ${look}">${word}</span>
<span>${countsText(results)} in ${durationText(suiteMs(report))}</span></div>
${share(results)}
${comparison && changesToHtml(comparison, idsOf(results))}
<h2 id="results">Notebooks</h2>
${results.length === 0 ? markup`<p class="quiet">None were found.</p>` : table(results, comparison)}
</main>
${scriptTag(SCRIPT)}
</body>
</html>
`.text;
}

const idsOf = (results: readonly CaseResult[]): Map<string, string> =>
  new Map(results.map(({ name }, index) => [name, `case-${index}`]));

function origin({ started, service, revision }: SuiteReport): Html {
  return markup`<time datetime="${started}">${instantText(started)} UTC</time> · ${service}${
    revision !== undefined && ` · ${revision}`
  }`;
}

/** How many have each verdict, as a bar; the words beside it say the same. */
function share(results: readonly CaseResult[]): Html {
  if (results.length === 0) return NOTHING;
  const counts = countVerdicts(results);
  let before = 0;
  const parts = ORDER.toReversed().map((verdict) => {
    const count = counts[verdict] ?? 0;
    const percent = (part: number) => `${((100 * part) / results.length).toFixed(2)}%`;
    const part = markup`<rect class="${LOOKS[verdict]}" x="${percent(before)}" width="${percent(count)}" height="100%"/>`;
    before += count;
    return count > 0 && part;
  });
  return markup`<svg class="share" aria-hidden="true" focusable="false">${parts}</svg>`;
}

function table(results: readonly CaseResult[], comparison: Comparison | undefined): Html {
  const ids = idsOf(results);
  const slower = new Map(comparison?.slower.map(({ name, before }) => [name, before]));
  const longestSeconds = Math.max(...results.map(({ seconds = 0 }) => seconds));
  const isOpen = results.filter(({ verdict }) => FAILING.has(verdict)).length <= MAX_OPEN;
  const sorted = ORDER.flatMap((verdict) => results.filter((result) => result.verdict === verdict));
  return markup`${filters(results)}
<table aria-labelledby="results">
<thead><tr><th scope="col" data-key="order">Verdict</th><th scope="col" data-key="name">Notebook</th><th scope="col" data-key="seconds">Ran</th><th scope="col">Open</th></tr></thead>
${sorted.map((result) =>
  caseToHtml({
    result,
    id: ids.get(result.name) as string,
    longestSeconds,
    beforeSeconds: slower.get(result.name),
    isOpen: isOpen && FAILING.has(result.verdict),
  }),
)}</table>`;
}

function filters(results: readonly CaseResult[]): Html {
  const counts = countVerdicts(results);
  const boxes = ORDER.filter((verdict) => counts[verdict]).map(
    (verdict) => markup`
<label><input type="checkbox" id="show-${verdict}" value="${verdict}" autocomplete="off" checked> ${VERDICTS[verdict]} <span class="quiet">${counts[verdict]}</span></label>`,
  );
  return markup`<fieldset class="filters"><legend>Show</legend>${boxes}
</fieldset>
<label class="search" hidden>Find in names, messages and tracebacks
<input id="search" type="search" autocomplete="off" spellcheck="false"></label>
<p class="quiet" id="shown" role="status"></p>`;
}
