/** The colours of every document, by day and by night; each pair that is read has a contrast of 4.5 at least. */
export const colours = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --paper: #ffffff; --text: #1b2430; --quiet: #566273; --line: #d5dae1; --code: #f3f5f8;
  --link: #0b57c4; --accent: #0b57c4; --on-accent: #ffffff;
  --good: #12703c; --good-paper: #e3f4ea; --bad: #b3261e; --bad-paper: #fdeceb; --busy: #7a4d00; --busy-paper: #fff3da;
  --red: #b3261e; --green: #12703c; --yellow: #7a5600; --blue: #0b57c4; --magenta: #8f2a90; --cyan: #0b6b78;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --paper: #1a2029; --text: #e4e8ee; --quiet: #a3afbf; --line: #343e4c; --code: #151a22;
    --link: #86b6ff; --accent: #86b6ff; --on-accent: #0c1420;
    --good: #74d69c; --good-paper: #14301f; --bad: #ff9d94; --bad-paper: #3a1a18; --busy: #f3c46b; --busy-paper: #33270f;
    --red: #ff9d94; --green: #74d69c; --yellow: #f0cd72; --blue: #86b6ff; --magenta: #eba0ec; --cyan: #6fd3e0;
  }
}
* { box-sizing: border-box; }
body { margin: 0; color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
pre, code, kbd, samp { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: 0.875rem; }
.ansi-bold { font-weight: 700; } .ansi-italic { font-style: italic; } .ansi-underline { text-decoration: underline; }
.ansi-red { color: var(--red); } .ansi-green { color: var(--green); } .ansi-yellow { color: var(--yellow); }
.ansi-blue { color: var(--blue); } .ansi-magenta { color: var(--magenta); } .ansi-cyan { color: var(--cyan); }
`;
