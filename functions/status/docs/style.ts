/** The reference page's looks, besides the colours of all pages. */
export const style = `
body { background: var(--page); margin: 0 auto; max-width: 60rem; padding: 1rem; }
h2 { border-top: 1px solid var(--line); margin-top: 3rem; padding-top: 1rem; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: .4em; overflow-x: auto; padding: .75rem; }
nav ul { list-style: none; padding: 0; }
.method { display: inline-block; font-weight: 700; min-width: 5em; text-transform: uppercase; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .75rem .35rem 0; text-align: left; vertical-align: top; }
td, th { overflow-wrap: break-word; }
td:first-child { white-space: nowrap; }
details { margin: .5rem 0; }
summary { cursor: pointer; }
`;
