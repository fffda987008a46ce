/** Of the report's page, which keeps to the look of the service's pages. */
export const reportStyle = `
body { background: var(--page); }
.top { background: var(--paper); border-bottom: 1px solid var(--line); padding: 0.75rem 1rem; font-weight: 700; }
.top, main { padding-inline: max(1rem, calc(50vw - 34rem)); }
main { padding-block: 1.25rem 3rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 0.75rem; }
h1 small { display: block; font-size: 0.875rem; font-weight: 400; color: var(--quiet); }
h2 { font-size: 1.125rem; margin: 2rem 0 0.75rem; }
h3 { font-size: 1rem; margin: 0 0 0.25rem; }
p { margin: 0 0 0.5rem; }
.quiet { color: var(--quiet); }
.badge { display: inline-block; padding: 0 0.6rem; border-radius: 1rem; font-weight: 600; color: var(--quiet); background: var(--paper); border: 1px solid; }
.good { color: var(--good); background: var(--good-paper); }
.bad { color: var(--bad); background: var(--bad-paper); }
.busy { color: var(--busy); background: var(--busy-paper); }
.status { display: flex; flex-wrap: wrap; gap: 0.25rem 0.75rem; align-items: center; margin-bottom: 0.75rem; }
.share { display: block; width: 100%; height: 0.75rem; border-radius: 6px; margin-bottom: 1rem; background: var(--line); }
.share .good { fill: var(--good); } .share .bad { fill: var(--bad); } .share .busy { fill: var(--busy); } .share .calm { fill: var(--quiet); }
.changes { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 0.75rem; }
.changes section { background: var(--paper); border: 1px solid var(--line); border-left: 4px solid var(--line); border-radius: 6px; padding: 0.6rem 1rem; }
.changes .is-bad { border-left-color: var(--bad); } .changes .is-good { border-left-color: var(--good); } .changes .is-busy { border-left-color: var(--busy); }
.changes .quiet { white-space: nowrap; }
.changes ul { margin: 0; padding-left: 1.25rem; }
.filters { display: flex; flex-wrap: wrap; gap: 0.5rem 0.75rem; align-items: center; border: 0; margin: 0 0 0.75rem; padding: 0; }
.filters legend { padding: 0; margin-bottom: 0.5rem; font-size: 0.875rem; color: var(--quiet); }
.filters label { display: inline-flex; align-items: center; gap: 0.5rem; min-height: 2.75rem; padding: 0 0.75rem; border: 1px solid var(--line); border-radius: 6px; background: var(--paper); }
.filters input[type='checkbox'] { width: 1.1rem; height: 1.1rem; margin: 0; accent-color: var(--accent); }
.search { display: block; margin-bottom: 0.75rem; font-size: 0.875rem; font-weight: 600; }
.search input { display: block; font: inherit; font-size: 1rem; font-weight: 400; width: 100%; max-width: 30rem; color: var(--text); background: var(--paper); border: 1px solid var(--quiet); border-radius: 6px; padding: 0.5rem; min-height: 2.75rem; }
[hidden] { display: none !important; }
table { width: 100%; border-collapse: collapse; background: var(--paper); border: 1px solid var(--line); }
th, td { text-align: left; vertical-align: top; padding: 0.5rem 0.75rem; font-weight: 400; }
thead th { vertical-align: middle; font-size: 0.875rem; font-weight: 600; color: var(--quiet); background: var(--code); }
thead button { font: inherit; color: var(--link); background: none; border: 0; padding: 0.25rem 0; min-height: 2rem; cursor: pointer; }
thead [aria-sort='ascending'] button::after { content: ' ▲'; } thead [aria-sort='descending'] button::after { content: ' ▼'; }
tbody { border-top: 1px solid var(--line); }
tbody:target { outline: 2px solid var(--accent); outline-offset: -2px; }
td.verdict { width: 12rem; white-space: nowrap; }
th.name { font-weight: 600; }
td.time { width: 14rem; font-variant-numeric: tabular-nums; }
.more td { padding-top: 0; }
.bar { display: block; width: 100%; height: 0.4rem; border-radius: 3px; margin-top: 0.2rem; background: var(--line); fill: var(--accent); }
td.links { width: 9rem; white-space: nowrap; }
.links a { display: inline-block; min-height: 1.5rem; margin-right: 0.5rem; }
details { margin-bottom: 0.5rem; }
.problem details:last-child { margin: 0; }
summary { cursor: pointer; padding: 0.35rem 0; }
.problem { color: var(--text); border-left: 4px solid var(--bad); background: var(--bad-paper); border-radius: 6px; padding: 0.5rem 1rem; margin-bottom: 0.5rem; }
.problem.calm { border-left-color: var(--quiet); background: var(--code); }
.problem.busy { border-left-color: var(--busy); background: var(--busy-paper); }
.problem .what { font-weight: 600; white-space: pre-wrap; }
.problem p:last-child { margin: 0; }
pre { margin: 0.25rem 0; padding: 0.6rem 0.75rem; background: var(--code); border: 1px solid var(--line); border-radius: 4px; overflow-x: auto; }
.diff .add { color: var(--good); } .diff .del { color: var(--bad); } .diff .head { color: var(--quiet); }
.warnings { border-left: 4px solid var(--busy); background: var(--busy-paper); border-radius: 6px; padding: 0.4rem 1rem 0.4rem 2rem; margin: 0 0 0.5rem; }
@media (max-width: 40rem) {
  table, tbody, tbody tr, tbody th, td { display: block; }
  thead, thead tr { display: flex; align-items: center; gap: 0.75rem; background: var(--code); }
  td.verdict, td.time, td.links { width: auto; }
  .links:not(:has(a)) { display: none; }
  tbody { padding-block: 0.25rem; } tbody th, tbody td { padding-block: 0.15rem; }
  pre { white-space: pre-wrap; }
}
@media print { .filters, .search { display: none; } pre { white-space: pre-wrap; } }
`;
