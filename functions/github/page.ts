import { colours } from '../../lib/html/colours.ts';
import { head, Inline, scriptTag } from '../../lib/html/document.ts';
import { markup, type Content } from '../../lib/html/markup.ts';
import type { ApiReply } from '../../lib/http/handler.ts';

/** As often as somebody who waits would look; not while nobody looks. */
export const RELOAD_SECONDS = 15;

const STYLE = new Inline(`${colours}
body { background: var(--page); }
.top { background: var(--paper); border-bottom: 1px solid var(--line); padding: 0.75rem 1rem; }
.top a { font-weight: 700; color: var(--text); text-decoration: none; }
.top, main { padding-inline: max(1rem, calc(50vw - 34rem)); }
main { padding-block: 1.25rem 3rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 0.75rem; }
h1 small { display: block; font-size: 0.875rem; font-weight: 400; color: var(--quiet); }
p { margin: 0 0 0.75rem; max-width: 44rem; }
table { width: 100%; border-collapse: collapse; background: var(--paper); border: 1px solid var(--line); }
th, td { padding: 0.5rem 0.75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; font-weight: 400; }
thead th { font-size: 0.875rem; font-weight: 600; color: var(--quiet); background: var(--code); }
th.run, td.short { white-space: nowrap; }
td.branch { min-width: 8rem; }
.after { margin-top: 0.75rem; }
.badge { display: inline-block; padding: 0 0.6rem; border-radius: 1rem; font-weight: 600; color: var(--quiet); background: var(--paper); border: 1px solid; }
.badge.good { color: var(--good); background: var(--good-paper); }
.badge.bad { color: var(--bad); background: var(--bad-paper); }
.badge.busy { color: var(--busy); background: var(--busy-paper); }
@media (max-width: 48rem) {
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  table, tbody, tbody tr, tbody th, tbody td { display: block; }
  tbody tr { padding-block: 0.5rem; border-bottom: 1px solid var(--line); }
  tbody th, tbody td { padding-block: 0.1rem; border: 0; }
  tbody td:empty { display: none; }
  td[data-is]::before { content: attr(data-is) ': '; color: var(--quiet); }
}
`);
const RELOAD = new Inline(`
'use strict';
setInterval(() => { if (!document.hidden) location.reload(); }, ${RELOAD_SECONDS * 1_000});
`);

export interface Page {
  status?: number;
  title: string;
  /** The service's, for example /noteburst. */
  pathPrefix: string;
  main: Content;
  /** Whether what it shows goes on. */
  isLive?: boolean;
  headers?: Record<string, string>;
}

/** A page of ours about runs; what it is told of them is text. */
export function page({ status = 200, title, pathPrefix, main, isLive = false, headers }: Page): ApiReply {
  const content = markup`${head(`${title} · Noteburst`, STYLE)}
<body>
<header class="top"><a href="${pathPrefix}/">Noteburst</a></header>
<main>
${main}
</main>
${isLive && scriptTag(RELOAD)}
</body>
</html>
`;
  const policy = [
    "default-src 'none'",
    `style-src ${STYLE.source}`,
    ...(isLive ? [`script-src ${RELOAD.source}`] : []),
    'img-src data:',
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return {
    status,
    headers: {
      ...headers,
      'Content-Security-Policy': policy,
      'Referrer-Policy': 'no-referrer',
      Vary: 'Accept',
    },
    body: { type: 'text/html; charset=utf-8', content: content.text },
  };
}
