import hljs from 'highlight.js/lib/core';
import python from 'highlight.js/lib/languages/python';
import { markup, Html } from '../../../../lib/html/markup.ts';
import { cutNote } from './text.ts';

hljs.registerLanguage('python', python);

const MAX_HIGHLIGHTED_CHARS = 32 * 1024;
const MAX_CHARS = 256 * 1024;

/** A cell's source. @param language as the notebook names it; what is not known here is shown plain */
export function codeToHtml(source: string, language: string): Html {
  const isPlain = !hljs.getLanguage(language) || source.length > MAX_HIGHLIGHTED_CHARS;
  if (!isPlain) {
    const { value } = hljs.highlight(source, { language, ignoreIllegals: true });
    return markup`<pre class="source"><code>${new Html(value)}</code></pre>`;
  }
  const shown = source.slice(0, MAX_CHARS);
  const cut = source.length - shown.length;
  return markup`<pre class="source"><code>${shown}</code></pre>
    ${cut > 0 && cutNote(cut)}`;
}
