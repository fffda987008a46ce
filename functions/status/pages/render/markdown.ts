import MarkdownIt from 'markdown-it';
import { markup, type Html } from '../../../../lib/html/markup.ts';
import { sanitized } from './sanitize.ts';

/** Longer Markdown is shown as the text that it is. */
const MAX_CHARS = 32 * 1024;

const MARKDOWN = new MarkdownIt({ html: true });

/** As Pandoc has it, so that prices are no formulas. */
const FORMULA = /\$\$([^$]+)\$\$|\$(?!\s)([^$\n]+)(?<!\s)\$(?!\d)/y;

// Formulas are shown as they were written; without this, Markdown would read emphasis into them.
MARKDOWN.inline.ruler.before('escape', 'math', (state, silent) => {
  FORMULA.lastIndex = state.pos;
  const match = FORMULA.exec(state.src);
  if (!match) return false;
  if (!silent) state.push('math', 'code', 0).content = (match[1] ?? match[2] ?? '').trim();
  state.pos = FORMULA.lastIndex;
  return true;
});
MARKDOWN.renderer.rules['math'] = (tokens, n) => markup`<code class="math">${tokens[n]?.content}</code>`.text;

/** Images that a Markdown cell brings along, by name: media types with base64, as nbformat has them. */
export type Attachments = Record<string, unknown>;

/** Markdown as Jupyter knows it, HTML in it included, sanitized. */
export function markdownToHtml(source: string, attachments: Attachments = {}): Html {
  if (source.length > MAX_CHARS) return markup`<pre>${source}</pre>`;
  const tokens = MARKDOWN.parse(source, {});
  for (const token of tokens.flatMap(({ children }) => children ?? [])) {
    const href = token.type === 'image' ? String(token.attrGet('src')) : '';
    if (href.startsWith(ATTACHMENT)) token.attrSet('src', resolved(href, attachments));
  }
  return sanitized(MARKDOWN.renderer.render(tokens, MARKDOWN.options, {}));
}

const ATTACHMENT = 'attachment:';

function resolved(href: string, attachments: Attachments): string {
  const name = MARKDOWN.utils.lib.mdurl.decode(href.slice(ATTACHMENT.length));
  const bundle = Object.hasOwn(attachments, name) ? attachments[name] : undefined;
  const [type, data] = Object.entries(bundle ?? {})[0] ?? [];
  return typeof data === 'string' ? `data:${type};base64,${data.replaceAll(/\s/g, '')}` : href;
}
