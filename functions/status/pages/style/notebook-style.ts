export const notebookStyle = `
body { background: var(--page); }
.notebook { max-width: 60rem; margin: 0 auto; padding: 0.5rem; }
.cell { background: var(--paper); border: 1px solid var(--line); border-left-width: 4px; border-radius: 6px; margin-bottom: 0.5rem; padding: 0.4rem 0.75rem 0.5rem; overflow: hidden; }
.cell:target { outline: 2px solid var(--accent); }
.cell.running { border-left-color: var(--busy); }
.cell.done { border-left-color: var(--good); }
.cell.failed { border-left-color: var(--bad); }
.cell > header { display: flex; flex-wrap: wrap; gap: 0 0.75rem; font-size: 0.75rem; color: var(--quiet); font-variant-numeric: tabular-nums; }
.cell > header a { color: inherit; text-decoration: none; }
.cell > header a:hover { text-decoration: underline; }
.duration { margin-left: auto; }
.state { font-weight: 600; }
.state.running { color: var(--busy); }
.state.done { color: var(--good); }
.state.failed { color: var(--bad); }
pre { margin: 0.25rem 0; padding: 0.4rem 0.6rem; border-radius: 4px; }
.source { background: var(--code); white-space: pre-wrap; tab-size: 4; }
.outputs { margin-top: 0.4rem; }
.text { overflow-x: auto; }
.text.stderr { background: var(--busy-paper); }
.text.error { background: var(--bad-paper); border-left: 3px solid var(--bad); }
@media (max-width: 40rem) { .text { white-space: pre-wrap; } }
.rich { overflow-x: auto; }
.rich > :first-child { margin-top: 0.25rem; }
.rich > :last-child { margin-bottom: 0.25rem; }
.rich h1 { font-size: 1.5rem; } .rich h2 { font-size: 1.25rem; } .rich h3 { font-size: 1.1rem; }
.rich h1, .rich h2, .rich h3 { line-height: 1.25; margin: 0.75rem 0 0.5rem; }
.rich p, .rich ul, .rich ol { margin: 0.5rem 0; }
.rich code { background: var(--code); padding: 0.1rem 0.25rem; border-radius: 3px; }
.rich pre, .rich pre code { background: var(--code); }
.rich pre code { padding: 0; }
.rich blockquote { margin: 0.5rem 0; padding-left: 1rem; border-left: 3px solid var(--line); color: var(--quiet); }
table { border-collapse: collapse; font-size: 0.875rem; }
th, td { border: 1px solid var(--line); padding: 0.25rem 0.6rem; text-align: left; vertical-align: top; overflow-wrap: normal; }
.dataframe th, .dataframe td { text-align: right; font-variant-numeric: tabular-nums; }
thead th { background: var(--code); }
img { max-width: 100%; height: auto; }
.outputs > img { display: block; margin: 0.25rem 0; background: #ffffff; border-radius: 4px; }
.note { font-size: 0.8125rem; color: var(--quiet); font-style: italic; margin: 0.25rem 0; }
.hljs-keyword, .hljs-literal { color: var(--magenta); }
.hljs-built_in, .hljs-meta { color: var(--cyan); }
.hljs-string { color: var(--green); }
.hljs-number { color: var(--yellow); }
.hljs-title { color: var(--blue); }
.hljs-comment { color: var(--quiet); font-style: italic; }
.hljs-subst { color: var(--text); }
`;
