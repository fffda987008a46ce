import { markup, type Html } from '../../../lib/html/markup.ts';
import { instantText } from '../../../lib/html/time.ts';
import type { Comparison } from '../../compare.ts';
import { secondsText } from '../words.ts';

/** @param ids of the results' elements, by name */
export function changesToHtml(comparison: Comparison, ids: ReadonlyMap<string, string>): Html {
  const { previous, newlyFailing, stillFailing, fixed, slower, added, gone } = comparison;
  const linked = (name: string): Html => {
    const id = ids.get(name);
    return id === undefined ? markup`${name}` : markup`<a href="#${id}">${name}</a>`;
  };
  const groups: [title: string, look: string, items: Html[]][] = [
    ['Newly failing', 'is-bad', newlyFailing.map(linked)],
    ['Still failing', 'is-bad', stillFailing.map(linked)],
    ['Fixed', 'is-good', fixed.map(linked)],
    [
      'Slower',
      'is-busy',
      slower.map(({ name, before, seconds }) => {
        return markup`${linked(name)} <span class="quiet">${secondsText(before)} → ${secondsText(seconds)}</span>`;
      }),
    ],
    ['New', '', added.map(linked)],
    ['Gone', '', gone.map(linked)],
  ];
  const shown = groups.filter(([, , items]) => items.length > 0);
  const { started, revision } = previous;
  return markup`<h2>Since the run of <time datetime="${started}">${instantText(started)} UTC</time>${
    revision !== undefined && ` (${revision})`
  }</h2>
${shown.length === 0 ? markup`<p class="quiet">Nothing has changed.</p>` : markup`<div class="changes">${shown.map(group)}</div>`}`;
}

const group = ([title, look, items]: [string, string, Html[]]): Html => markup`
<section class="${look}"><h3>${title} <span class="quiet">${items.length}</span></h3>
<ul>${items.map((item) => markup`<li>${item}</li>`)}</ul></section>`;
