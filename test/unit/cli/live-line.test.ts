import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { LiveLine } from '../../../cli/terminal/live-line.ts';

const drawn = (columns: number | undefined): string => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns });
  new LiveLine(stream, () => 'x'.repeat(200)).above(() => undefined);
  return String(stream.read());
};

test.each([
  [40, 39],
  // Terminals of CI systems and of containers.
  [0, 79],
  [undefined, 79],
])('what is shown on a terminal of %j columns has %i letters', (columns, letters) => {
  expect(drawn(columns)).toHaveLength(letters);
});
