/** One result in the report's table. All of its text is a notebook's or the service's: none of it is trusted. */
import { ansiToHtml } from '../../../lib/html/ansi.ts';
import { markup, NOTHING, type Html } from '../../../lib/html/markup.ts';
import type { CaseResult, Failure, Verdict } from '../../report.ts';
import { headline, ORDER, placeText, secondsText, shortened, VERDICTS } from '../words.ts';
import { diffToHtml } from './diff.ts';

export const LOOKS: Record<Verdict, 'good' | 'bad' | 'busy' | 'calm'> = {
  failed: 'bad',
  unexpected_pass: 'bad',
  error: 'busy',
  cancelled: 'calm',
  skipped: 'calm',
  expected_failure: 'calm',
  passed: 'good',
};

export interface ShownCase {
  result: CaseResult;
  /** Of the element, for links to it. */
  id: string;
  /** Of the result that took longest. */
  longestSeconds: number;
  /** How long it took in the run before, if that is worth telling. */
  beforeSeconds: number | undefined;
  isOpen: boolean;
}

/** Of one traceback: a page of hundreds is still to be opened. */
const MAX_TRACEBACK_CHARS = 32 * 1024;

/** A body of its own: what belongs to the result stays with it when the table is sorted. */
export function caseToHtml({ result, id, longestSeconds, beforeSeconds, isOpen }: ShownCase): Html {
  const { name, verdict, seconds } = result;
  const more = markup`${problem(result, isOpen)}${warnings(result)}`;
  return markup`<tbody id="${id}" class="case" data-verdict="${verdict}" data-order="${ORDER.indexOf(verdict)}" data-name="${name}" data-seconds="${seconds ?? -1}">
<tr><td class="verdict"><span class="badge ${LOOKS[verdict]}">${VERDICTS[verdict]}</span></td>
<th scope="row" class="name">${name}</th>
<td class="time">${time(result, longestSeconds, beforeSeconds)}</td>
<td class="links">${links(result)}</td></tr>
${more.text !== '' && markup`<tr class="more"><td colspan="4">${more}</td></tr>`}
</tbody>
`;
}

function time(result: CaseResult, longest: number, before: number | undefined): Html {
  const { seconds, waited_seconds: waited = 0, attempts = 1 } = result;
  if (seconds === undefined) return markup`<span class="quiet">not run</span>`;
  const share = longest > 0 ? ((100 * seconds) / longest).toFixed(1) : '0';
  const notes = [
    ...(before === undefined ? [] : [`was ${secondsText(before)}`]),
    ...(waited >= 1 ? [`waited ${secondsText(waited)}`] : []),
    ...(attempts > 1 ? [`${attempts} attempts`] : []),
  ];
  return markup`${secondsText(seconds)} <small class="quiet">${notes.join(' · ')}</small>
<svg class="bar" aria-hidden="true" focusable="false"><rect width="${share}%" height="100%" rx="3"/></svg>`;
}

function problem(result: CaseResult, isOpen: boolean): Html {
  const { name, verdict, failure, expected } = result;
  if (!failure) return NOTHING;
  const place = failure.place && placeText(failure.place);
  return markup`<div class="problem ${LOOKS[verdict]}">
<p class="what">${headline(result)}</p>
${place && markup`<p>In ${place}</p>`}
${expected !== undefined && verdict !== 'unexpected_pass' && markup`<p>Expected to fail: ${expected}</p>`}
${details(failure, name, isOpen)}</div>`;
}

function details({ traceback = [], differences = [] }: Failure, name: string, isOpen: boolean): Html {
  const open = isOpen && markup` open`;
  const block = (
    title: string,
    kind: string,
    content: Html,
  ): Html => markup`<details${open}><summary>${title}</summary>
<pre class="${kind}" tabindex="0" role="group" aria-label="${title}: ${name}">${content}</pre></details>
`;
  const text = shortened(traceback.join('\n'), MAX_TRACEBACK_CHARS);
  return markup`${text !== '' && block('Traceback', 'traceback', ansiToHtml(text))}${differences.map(
    ({ cell, diff }) =>
      block(`Outputs of cell ${cell} differ`, 'diff', diffToHtml(shortened(diff, MAX_TRACEBACK_CHARS))),
  )}`;
}

const warnings = ({ warnings: all, name }: CaseResult): Html =>
  all?.length
    ? markup`<ul class="warnings" aria-label="Warnings: ${name}">${all.map((text) => markup`<li>${text}</li>`)}</ul>`
    : NOTHING;

function links({ executed, job_url, name }: CaseResult): Html {
  const job = job_url === undefined ? undefined : webUrl(job_url);
  return markup`${
    executed !== undefined &&
    markup`<a href="${relativeUrl(executed)}" aria-label="Notebook as executed: ${name}">Notebook</a>`
  } ${job !== undefined && markup`<a href="${job}" aria-label="Job of ${name}">Job</a>`}`;
}

/** Undefined when it leads anywhere else than to a page. */
const webUrl = (url: string): string | undefined => {
  const parsed = URL.parse(url);
  return parsed && /^https?:$/.test(parsed.protocol) ? parsed.href : undefined;
};

/** Below the report's folder: neither `javascript:x` nor `//elsewhere` is more than a file's name in it. */
const relativeUrl = (path: string): string =>
  `./${path.toWellFormed().split('/').filter(Boolean).map(encodeURIComponent).join('/')}`;
