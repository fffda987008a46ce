/**
 * Payloads that try to run a script, to send something elsewhere, or to lead the reader away. `RUN` stands for a call
 * that tells of itself, `LEAK` for an address of somebody else's.
 */

/** How a payload shows itself in Chromium when it is served as it is: at once, by a click on a link, or not any more. */
type Raw = 'runs' | 'leaks' | 'click' | 'inert';

const RUNNING = [
  '<script>RUN</script>',
  '<ScRiPt>RUN</sCrIpT>',
  '<script src="LEAK/x.js"></script>',
  '<script type="module">RUN</script>',
  '<img src=x onerror=RUN>',
  '<img/src="x"/onerror=RUN>',
  '<img src=x onerror="&#40;RUN&#41;">',
  '<IMG """><SCRIPT>RUN</SCRIPT>"\\>',
  '<svg onload=RUN>',
  '<svg><script>RUN</script></svg>',
  '<svg><animate onbegin=RUN attributeName=x dur=1s></svg>',
  '<svg><set onbegin=RUN attributeName=x to=1></svg>',
  '<svg><foreignObject><body xmlns="http://www.w3.org/1999/xhtml" onload="RUN"/><img src=x onerror=RUN></foreignObject></svg>',
  '<svg><style><img src=x onerror=RUN></style></svg>',
  '<svg><g/onload="RUN"></g></svg><svg onload="RUN"></svg>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=RUN&gt;">'.concat(
    '<img src=x onerror=RUN>',
  ),
  '<body onload=RUN>',
  '<body onpageshow=RUN>',
  '<input autofocus onfocus=RUN>',
  '<details open ontoggle=RUN>text</details>',
  '<video><source onerror="RUN"></video>',
  '<video src=x onerror=RUN></video>',
  '<audio src=x onerror=RUN></audio>',
  '<object data="x" onerror=RUN></object><img src=x onerror=RUN>',
  '<iframe srcdoc="<script>RUN</script>"></iframe>',
  '<iframe src="javascript:RUN"></iframe>',
  '<iframe onload=RUN></iframe>',
  '<embed src="javascript:RUN"><style onload=RUN></style>',
  '<link rel=stylesheet href="data:text/css,x" onload=RUN>',
  '<style onload=RUN></style>',
  '<style>@keyframes x{}</style><p style="animation-name:x" onanimationstart="RUN">p</p>',
  '<p style="animation:y 1s" onanimationend=RUN>p</p><img src onerror=RUN>',
  '<textarea autofocus onfocus=RUN></textarea>',
  '<select autofocus onfocus=RUN></select>',
  '<p tabindex=1 autofocus onfocus=RUN>p</p>',
  '<noscript><p title="</noscript><img src=x onerror=RUN>"></p></noscript><img src=x onerror=RUN>',
  '<noembed><img title="</noembed><img src=x onerror=RUN>"></noembed>',
  '<xmp><p title="</xmp><img src=x onerror=RUN>"></xmp>',
  '<title><a title="</title><img src=x onerror=RUN>"></title>',
  '<template><p></p></template><img src=x onerror=RUN>',
  '<!--><img src=x onerror=RUN>-->',
  '<!-- --!><img src=x onerror=RUN> -->',
  '<![CDATA[><img src=x onerror=RUN>]]>',
  '<?xml ?><img src=x onerror=RUN>',
  '<a href="x"><table><td></a><img src=x onerror=RUN>',
  '"><img src=x onerror=RUN>',
  "'><img src=x onerror=RUN>",
  '</pre></code></div></article></main><script>RUN</script>',
  '</title></style></script><script>RUN</script>',
  '\u001B[31m<img src=x onerror=RUN>\u001B[0m',
  '\u001B[<img src=x onerror=RUN>m',
  '\u001B]8;;javascript:RUN\u0007link\u001B]8;;\u0007<img src=x onerror=RUN>',
  '[a](x)<img src=x onerror=RUN>',
  '```html\n</code></pre><script>RUN</script>\n```',
  '$x</code><img src=x onerror=RUN>$',
  '<img src=x one\u0000rror=RUN><img src=x onerror=RUN>',
  '<details open><summary>s</summary><img src=x onerror=RUN></details>',
];

const LEAKING = [
  '<img src="LEAK/i.png">',
  '<img srcset="LEAK/i.png 1x">',
  '<picture><source srcset="LEAK/i.png"><img src=""></picture>',
  '<link rel=stylesheet href="LEAK/x.css">',
  '<link rel=preload as=image href="LEAK/i.png">',
  '<style>@import "LEAK/x.css";</style>',
  '<style>body{background:url(LEAK/i.png)}</style>',
  '<p style="background:url(LEAK/i.png)">p</p>',
  '<style>@font-face{font-family:f;src:url(LEAK/f.woff)}p{font-family:f}</style><p>text</p>',
  '<table background="LEAK/i.png"><tr><td>t</td></tr></table>',
  '<iframe src="LEAK/f.html"></iframe>',
  '<object data="LEAK/o.html"></object>',
  '<embed src="LEAK/e.html">',
  '<video poster="LEAK/p.png"></video>',
  '<audio autoplay src="LEAK/a.mp3"></audio>',
  '<input type=image src="LEAK/i.png">',
  '<svg><image href="LEAK/i.png"/></svg>',
  '<svg><use href="data:image/svg+xml,x"/><image xlink:href="LEAK/i.png"/></svg>',
  '<svg><filter><feImage href="LEAK/i.png"/></filter><image href="LEAK/i.png"/></svg>',
  '<meta http-equiv=refresh content="0;url=LEAK/m.html">',
  '<base href="LEAK/"><img src="i.png">',
  '![image](LEAK/i.png)<img src="LEAK/i.png">',
];

const CLICKED = [
  '<a href="javascript:RUN">a</a>',
  '<a href=" &#14; javascript:RUN">a</a>',
  '<a href="java\nscript:RUN">a</a>',
  '<a href="&#106;avascript:RUN">a</a>',
  '<a href="x" onclick="RUN">a</a>',
  '<a href="x" ping="LEAK/ping" onclick="RUN">a</a>',
  '<svg><a href="javascript:RUN"><text>a</text></a></svg><a href="javascript:RUN">b</a>',
];

const INERT = [
  '<img src=x onerror="RUN"//',
  '<form><math><mtext></form><form><mglyph><style></math><img src=x onerror=RUN>',
  '<marquee onstart=RUN>m</marquee>',
  '<link rel=preconnect href="LEAK">',
  '[a](javascript:RUN)',
  '[a](data:text/html,<script>RUN</script>)',
  '<javascript:RUN>',
  '![a](javascript:RUN)',
  '[a]: javascript:RUN\n\n[a]',
  '![a](x"onerror="RUN)',
  '<a href="data:text/html,<script>RUN</script>">a</a>',
  '<a href="vbscript:RUN">a</a>',
  '<form action="LEAK/form"><button>send</button></form>',
  '<form action="javascript:RUN"><input type=submit></form>',
  '<template><script>RUN</script></template>',
  '<img src="data:image/svg+xml,<svg xmlns=\'http://www.w3.org/2000/svg\'><script>RUN</script></svg>">',
  '<script type="application/vnd.jupyter.widget-view+json">{"model_id":"</script"}</script>',
  '<div id="cell-0"></div><div id="failed"></div><div id="notebook"></div>',
  '<dialog open>Log in again</dialog>',
  '__proto__',
];

export interface Payload {
  name: string;
  raw: Raw;
  /** @param leak without a slash at its end */
  text: (leak: string) => string;
}

const payloads = (raw: Raw, texts: string[]): Payload[] =>
  texts.map((text, n) => {
    const name = `${raw}-${n}`;
    return {
      name,
      raw,
      text: (leak) => text.replaceAll('RUN', `canary('${name}')`).replaceAll('LEAK', `${leak}/${name}`),
    };
  });

export const XSS_CORPUS: Payload[] = [
  ...payloads('runs', RUNNING),
  ...payloads('leaks', LEAKING),
  ...payloads('click', CLICKED),
  ...payloads('inert', INERT),
];
