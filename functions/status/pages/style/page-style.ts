export const pageStyle = `
body { background: var(--page); }
.top { background: var(--paper); border-bottom: 1px solid var(--line); padding: 0.75rem 1rem; }
.top .brand { font-weight: 700; color: var(--text); text-decoration: none; }
.top, main { padding-inline: max(1rem, calc(50vw - 30rem)); }
main { padding-block: 1.25rem 3rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 0.75rem; }
h2 { font-size: 1.125rem; margin: 2rem 0 0.75rem; }
h1 small { display: block; font-size: 0.875rem; font-weight: 400; color: var(--quiet); }
p { margin: 0 0 0.75rem; max-width: 44rem; }
.quiet { color: var(--quiet); }
.badge { display: inline-block; padding: 0 0.6rem; border-radius: 1rem; font-weight: 600; color: var(--quiet); background: var(--paper); border: 1px solid; }
.badge.good { color: var(--good); background: var(--good-paper); }
.badge.bad { color: var(--bad); background: var(--bad-paper); }
.badge.busy { color: var(--busy); background: var(--busy-paper); }
.status { display: flex; flex-wrap: wrap; gap: 0.25rem 0.75rem; align-items: center; margin-bottom: 0.75rem; }
.progress { display: flex; align-items: center; gap: 0.75rem; margin-bottom: 0.75rem; }
progress { flex: 1; max-width: 24rem; height: 0.75rem; accent-color: var(--accent); }
dl { display: flex; flex-wrap: wrap; gap: 0.25rem 2rem; margin: 0 0 0.75rem; }
dl div { min-width: 6rem; }
dt { color: var(--quiet); font-size: 0.8125rem; }
dd { margin: 0; }
.problem { border: 1px solid var(--line); border-left: 4px solid var(--bad); background: var(--bad-paper); border-radius: 6px; padding: 0.75rem 1rem; margin-bottom: 0.75rem; }
.problem h2 { margin: 0 0 0.25rem; color: var(--bad); font-size: 1rem; }
.problem p:last-child { margin: 0; }
.problem pre { white-space: pre-wrap; margin: 0.5rem 0; }
.warnings { border: 1px solid var(--line); border-left: 4px solid var(--busy); background: var(--busy-paper); border-radius: 6px; padding: 0.5rem 1rem 0.5rem 2rem; margin: 0 0 0.75rem; }
.actions { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: center; margin-bottom: 0.75rem; }
.actions:empty, .problem:empty, .message:empty { display: none; }
button, .button { font: inherit; font-weight: 600; min-height: 2.75rem; padding: 0.5rem 1.25rem; border: 1px solid var(--accent); border-radius: 6px; background: var(--accent); color: var(--on-accent); cursor: pointer; text-decoration: none; }
button.plain, .button.plain { background: var(--paper); color: var(--link); }
button:disabled { opacity: 0.6; cursor: default; }
iframe { display: block; width: 100%; height: 80vh; border: 1px solid var(--line); border-radius: 6px; background: var(--page); }
form { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; }
.drop { display: block; border: 2px dashed var(--line); border-radius: 8px; padding: 1.5rem 1rem; text-align: center; margin-bottom: 1rem; }
.drop.over { border-color: var(--accent); background: var(--code); }
.drop strong { display: block; margin-bottom: 0.5rem; }
.fields { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 0.75rem; margin-bottom: 1rem; }
.fields .wide { grid-column: 1 / -1; }
.fields label { display: block; font-size: 0.875rem; font-weight: 600; }
.fields small { font-weight: 400; color: var(--quiet); }
input, textarea { font: inherit; font-weight: 400; width: 100%; color: var(--text); background: var(--page); border: 1px solid var(--quiet); border-radius: 6px; padding: 0.5rem; min-height: 2.75rem; }
input[type='file'] { max-width: 22rem; border: 0; background: none; }
textarea { font-family: ui-monospace, monospace; font-size: 0.875rem; }
.message { color: var(--bad); margin: 0.75rem 0 0; font-weight: 600; }
.jobs { list-style: none; margin: 0; padding: 0; background: var(--paper); border: 1px solid var(--line); border-radius: 8px; }
.jobs li + li { border-top: 1px solid var(--line); }
.jobs a { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; align-items: center; padding: 0.6rem 1rem; text-decoration: none; color: inherit; }
.jobs a:hover { background: var(--code); }
.jobs time { font-variant-numeric: tabular-nums; }
.jobs code { color: var(--quiet); margin-left: auto; }
`;
