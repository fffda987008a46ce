/** A notebook with something of everything, as it has run. */
import { notebook } from '../../support/notebooks.ts';

const busyAt = Date.parse('2026-11-21T10:00:00Z');

/** A code cell that has run for so long. */
export function ranCell(
  source: string,
  ms: number,
  outputs: object[] = [],
  count = 1,
): Record<string, unknown> {
  const execution = {
    'iopub.status.busy': new Date(busyAt).toISOString(),
    'shell.execute_reply': new Date(busyAt + ms).toISOString(),
  };
  return { cell_type: 'code', source, metadata: { execution }, outputs, execution_count: count };
}

export const stream = (text: string, name = 'stdout') => ({ output_type: 'stream', name, text });
export const display = (data: Record<string, unknown>) => ({
  output_type: 'display_data',
  data,
  metadata: {},
});
export const raised = (ename: string, evalue: string, traceback: string[] = []) => ({
  output_type: 'error',
  ename,
  evalue,
  traceback,
});

const FRAME = `<div><style scoped>.dataframe td { color: red }</style><table border="1" class="dataframe">
<thead><tr style="text-align: right"><th></th><th>objectId</th><th>band</th><th>psfMag</th></tr></thead>
<tbody><tr><th>0</th><td>1248649384967536732</td><td>g</td><td>21.4402</td></tr>
<tr><th>1</th><td>1248649384967536740</td><td>r</td><td>20.9187</td></tr></tbody></table><p>2 rows × 3 columns</p></div>`;

const LIGHT_CURVE = `<svg xmlns="http://www.w3.org/2000/svg" width="480" height="200" viewBox="0 0 480 200"><rect width="480" height="200" fill="#fff"/>
<polyline fill="none" stroke="#0b57c4" stroke-width="2" points="${Array.from({ length: 48 }, (_, n) => `${n * 10},${100 - 70 * Math.sin(n / 4)}`).join(' ')}"/>
<text x="10" y="20" font-family="sans-serif" font-size="14">psfFlux over time</text></svg>`;

const MARKDOWN = `# A light curve

Of one object, in the *g* and *r* bands: see [the paper](https://example.org/paper), and $m = -2.5 \\log_{10} f$.

| band | visits |
| --- | --- |
| g | 112 |
| r | 230 |

\`\`\`python
butler = Butler("dp1")
\`\`\`

- one thing
- and \`another\``;

export const TRACEBACK = [
  '\u001B[31m---------------------------------------------------------------------------\u001B[39m',
  '\u001B[31mKeyError\u001B[39m                                  Traceback (most recent call last)',
  '\u001B[36mCell\u001B[39m\u001B[36m \u001B[39m\u001B[32mIn[5]\u001B[39m\u001B[32m, line 1\u001B[39m\n\u001B[32m----> \u001B[39m\u001B[32m1\u001B[39m flux[\u001B[33m"u"\u001B[39m]',
  "\u001B[31mKeyError\u001B[39m: 'u'",
];

export const gallery = (last: object = ranCell('print("done")', 12, [stream('done\n')], 5)) =>
  notebook({
    metadata: { language_info: { name: 'python' } },
    cells: [
      { cell_type: 'markdown', source: MARKDOWN, metadata: {} },
      ranCell('# Parameters\nnight = "2026-11-20"\nbands = ["g", "r"]\n', 3, [], 1),
      ranCell(
        'from lsst.daf.butler import Butler\n\ndef flux_of(visit, band="g"):\n    """The flux of a visit."""\n    return [row["psfFlux"] for row in visit if row.band == band]  # nJy\n',
        1_240,
        [
          stream('reading 0 %\rreading 50 %\rreading 100 %\n'),
          stream('DeprecationWarning: old API\n', 'stderr'),
        ],
        2,
      ),
      ranCell('table.head(2)', 231, [display({ 'text/html': FRAME, 'text/plain': '…' })], 3),
      ranCell(
        'plot(table)',
        65_400,
        [display({ 'image/svg+xml': LIGHT_CURVE, 'text/plain': '<Figure>' })],
        4,
      ),
      last,
    ],
  });
