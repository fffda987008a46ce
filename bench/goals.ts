/** Medians in milliseconds that the project has set itself goals for. */
export interface Medians {
  ours: number;
  nbclient: number;
}

export interface Measured {
  five: Medians;
  hundred: Medians & { engine: number; floor: number; cells: number };
  tenMb: Medians;
  sleepers: { ours: number };
  burst: Medians & { floor: number };
  live: { with: number; without: number };
}

export type Goal = [what: string, measured: number, atMost: number, unit: string];

export function goalLines(measured: Measured): string[] {
  const { five, hundred, tenMb, sleepers, burst, live } = measured;
  const goals: Goal[] = [
    ['five cells, end to end', five.ours, 50, 'ms'],
    ['the same, of the time of nbclient', five.ours / five.nbclient, 1 / 15, '×'],
    ['a cell of 100, end to end', hundred.ours / hundred.cells, 5, 'ms'],
    ['a cell of 100, engine alone', hundred.engine / hundred.cells, 5, 'ms'],
    ['100 cells, of the time of nbclient', hundred.ours / hundred.nbclient, 1 / 2, '×'],
    ['10 MB of output, of the time of nbclient', tenMb.ours / tenMb.nbclient, 1.5, '×'],
    ['eight sleepers of 2 s', sleepers.ours, 2_300, 'ms'],
    ['the burst, of the time of nbclient', burst.ours / burst.nbclient, 1 / 2.5, '×'],
    ['the burst, of the time that its kernels take to start', burst.ours / burst.floor, 1.2, '×'],
    ['live events, of the time without them', live.with / live.without, 1.05, '×'],
  ];
  const share = Math.round((hundred.floor / hundred.ours) * 100);
  return [
    ...goalTable(goals),
    '',
    `Of the time of 100 cells, ${share} % is the kernel's own: what the same cells take in a warm kernel with no server,`,
    `proxy or network between (${digits(hundred.floor)} ms). nbclient talks to its kernel like that, and also starts it.`,
  ];
}

const digits = (value: number): string => (value < 1 ? value.toFixed(3) : value.toFixed(value < 10 ? 2 : 0));

/** The goals and what came of them, a line of a table each; those missed are marked. */
export function goalTable(goals: Goal[]): string[] {
  const lines = goals.map(([what, value, atMost, unit]) => {
    const verdict = value <= atMost ? 'yes' : '**no**';
    return `| ${what} | ${digits(value)} ${unit} | ${digits(atMost)} ${unit} | ${verdict} |`;
  });
  return ['| | measured | at most | reached |', '| --- | ---: | ---: | --- |', ...lines];
}
