/** A cell's outputs as HTML. Nothing of them is trusted, also not that they are as nbformat says. */
import type { Output } from '../../../../lib/contract/nbformat.ts';
import { markup, NOTHING, type Html } from '../../../../lib/html/markup.ts';
import { ansiToHtml } from '../../../../lib/html/ansi.ts';
import { markdownToHtml } from './markdown.ts';
import { sanitized } from './sanitize.ts';
import { cutNote, note, rich, SCROLLED, shortened, textOf } from './text.ts';

/** A cell's further outputs are counted only. */
const MAX_OUTPUTS = 500;
/** Of one output's text. */
const MAX_TEXT_CHARS = 64 * 1024;
/** HTML that is longer is mostly data for scripts. */
const MAX_HTML_CHARS = 256 * 1024;

export interface ShownOutput {
  output: Output;
  /** Live, when not all of it is shown. */
  truncated?: boolean | undefined;
}

/** @param untilMs on performance's clock: what is not done by then is counted only */
export function outputsToHtml(outputs: readonly ShownOutput[], untilMs: number): Html {
  if (outputs.length === 0) return NOTHING;
  const shown: Html[] = [];
  for (const output of outputs.slice(0, MAX_OUTPUTS)) {
    if (performance.now() > untilMs) break;
    shown.push(shownToHtml(output));
  }
  const more = outputs.length - shown.length;
  return markup`<div class="outputs">${shown}${
    more > 0 && note(`${more} more outputs are in the notebook, to be downloaded.`)
  }</div>
`;
}

const shownToHtml = ({ output, truncated }: ShownOutput): Html =>
  markup`${outputToHtml(output)}${truncated && note('Shortened while it runs: the finished notebook has it all.')}`;

function outputToHtml(output: Output): Html {
  switch (output.output_type) {
    case 'stream':
      return textBlock(textOf(output.text), output.name === 'stderr' ? 'stderr' : 'stdout');
    case 'error':
      return errorToHtml(output.ename, output.evalue, output.traceback);
    case 'display_data':
    case 'execute_result':
      return bundleToHtml(output.data ?? {});
    default:
      return note('An output of a kind that is not known here.');
  }
}

function errorToHtml(ename: unknown, evalue: unknown, traceback: unknown): Html {
  const lines = Array.isArray(traceback) ? traceback.map(textOf).join('\n') : '';
  return textBlock(lines || `${textOf(ename)}: ${textOf(evalue)}`, 'error');
}

function textBlock(text: string, kind: 'stdout' | 'stderr' | 'error' | 'plain'): Html {
  const { begin, cut, end } = shortened(overwritten(text), MAX_TEXT_CHARS);
  const block = (part: string) =>
    markup`<pre class="text ${kind}"${isWide(part) && SCROLLED}>${ansiToHtml(part)}</pre>`;
  return markup`${block(begin)}${cut > 0 && markup`${cutNote(cut)}${block(end)}`}`;
}

/** Whether a line may not fit: narrower screens break lines. */
const isWide = (text: string): boolean => text.split('\n').some((line) => line.length > 65);

/** As a terminal shows it: what follows a carriage return replaces its line, as progress bars do. */
const overwritten = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replace(/\r+$/, ''))
    .map((line) => line.slice(line.lastIndexOf('\r') + 1))
    .join('\n');

/** How a type of data is shown; undefined when there is nothing in it that can be. */
type Renderer = (data: unknown) => Html | undefined;

const image =
  (type: string): Renderer =>
  (data) => {
    const base64 = textOf(data).replaceAll(/\s/g, '');
    return /^[A-Za-z0-9+/]+=*$/.test(base64)
      ? markup`<img src="data:${type};base64,${base64}" alt="Output of the cell" />`
      : undefined;
  };

/** As an image: scripts in it do not run, and nothing is loaded from elsewhere. */
const svg: Renderer = (data) => image('image/svg+xml')(Buffer.from(textOf(data)).toString('base64'));

function sanitizedHtml(data: unknown): Html | undefined {
  const text = textOf(data);
  const clean = text.length <= MAX_HTML_CHARS ? sanitized(text) : NOTHING;
  // Of what is drawn by scripts nothing is left.
  const isVisible = /<img|[^\s<>][^<>]*(?:<|$)/.test(clean.text.replaceAll(/<(?!img)[^>]*>/g, '<>'));
  return isVisible ? rich(clean) : undefined;
}

const markdown: Renderer = (data) => rich(markdownToHtml(textOf(data)));

/** In Jupyter's order of preference. */
const RENDERERS: [type: string, render: Renderer][] = [
  ['text/html', sanitizedHtml],
  ['text/markdown', markdown],
  ['image/svg+xml', svg],
  ['image/png', image('image/png')],
  ['image/jpeg', image('image/jpeg')],
  ['image/gif', image('image/gif')],
  ['image/webp', image('image/webp')],
  ['text/latex', (data) => textBlock(textOf(data), 'plain')],
  ['application/json', (data) => textBlock(textOf(data), 'plain')],
  ['text/plain', (data) => textBlock(textOf(data), 'plain')],
];

/** What only a page with scripts could show. */
const INTERACTIVE = /^(?:text\/html|application\/(?:javascript|vnd\.))/;

function bundleToHtml(data: Record<string, unknown>): Html {
  for (const [type, render] of RENDERERS) {
    if (data[type] === undefined) continue;
    const shown = render(data[type]);
    if (!shown) continue;
    const isStandIn = type !== 'text/html' && Object.keys(data).some((other) => INTERACTIVE.test(other));
    return isStandIn ? markup`${shown}${INTERACTIVE_NOTE}` : shown;
  }
  return INTERACTIVE_NOTE;
}

const INTERACTIVE_NOTE = note(
  'This output is interactive, and is not shown here: open the notebook in JupyterLab.',
);
