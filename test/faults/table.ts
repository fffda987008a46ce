/** What one run of one cell of the matrix came to. */
export interface Row {
  fault: string;
  at: string;
  promised: string;
  /** how the jobs ended, or were refused */
  outcome: string;
  /** from the fault to the end of the job that it hit */
  recoveryMs?: number;
}

/** The matrix as Markdown, a line for each cell: its runs, their outcomes, the worst recovery. */
export function faultTable(rows: readonly Row[]): string {
  const cells = Map.groupBy(rows, ({ fault, at, promised }) => [fault, at, promised].join('\n'));
  const inOrder = [...cells].sort(([one], [other]) => one.localeCompare(other, 'en', { numeric: true }));
  const lines = inOrder.map(([, runs]) => {
    const { fault, at, promised } = runs[0] as Row;
    const outcomes = [...new Set(runs.map(({ outcome }) => outcome))].join('; ') || 'left in order';
    const worst = Math.max(-1, ...runs.map(({ recoveryMs }) => recoveryMs ?? -1));
    const recovery = worst < 0 ? '–' : `${(worst / 1_000).toFixed(1)} s`;
    return `| ${fault} | ${at} | ${promised} | ${runs.length} | ${outcomes} | ${recovery} |`;
  });
  return [
    '| fault | at | promised | runs | outcomes | worst recovery |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}
