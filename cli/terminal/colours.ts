import { painter, type Paint } from '../../suite/reports/terminal-style.ts';

/** As Node and most commands have it: `FORCE_COLOR=1` colours also what goes to a file or a CI system's log. */
export const paintFor = (stream: NodeJS.WritableStream): Paint =>
  painter(stream, Number(process.env['FORCE_COLOR'] ?? 0) > 0);
