import type { ApiReply } from '../../../lib/http/handler.ts';
import { head, Inline, scriptTag } from '../../../lib/html/document.ts';
import { markup, type Content } from '../../../lib/html/markup.ts';
import { colours } from '../../../lib/html/colours.ts';
import { pageStyle } from './style/page-style.ts';

/** What every document of ours is sent with. */
export const documentHeaders = (policy: string): Record<string, string> => ({
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': policy,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  Vary: 'Accept',
});

/** What a notebook's document may do. Links open in tabs of their own, which are free of all this. */
export const SANDBOX = 'allow-scripts allow-popups allow-popups-to-escape-sandbox';

const STYLE = new Inline(colours + pageStyle);

export interface Page {
  status?: number;
  title: string;
  /** Where the service's home is, for example /noteburst/. */
  home: string;
  main: Content;
  script?: Inline;
  headers?: Record<string, string>;
}

/**
 * A page of ours. Nothing in it comes from elsewhere, nor from a notebook other than as text; what renders notebooks
 * is a document of its own.
 */
export function page({ status = 200, title, home, main, script, headers = {} }: Page): ApiReply {
  const content = markup`${head(title, STYLE)}
<body>
<header class="top"><a class="brand" href="${home}">Noteburst</a></header>
<main>${main}</main>
${script && scriptTag(script)}
</body>
</html>
`;
  const policy = [
    "default-src 'none'",
    `style-src ${STYLE.source}`,
    'img-src data:',
    ...(script ? [`script-src ${script.source}`, "connect-src 'self'"] : []),
    "frame-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return {
    status,
    headers: { ...headers, ...documentHeaders(policy) },
    body: { type: 'text/html; charset=utf-8', content: content.text },
  };
}
