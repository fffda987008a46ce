import { WriteStream } from 'node:tty';
import { painter, type Paint } from '../../suite/reports/terminal-style.ts';

/** `FORCE_COLOR`, as Node reads it, colours also what goes to a file or a CI system's log. */
export const paintFor = (stream: NodeJS.WritableStream): Paint =>
  painter(stream, process.env['FORCE_COLOR'] !== undefined && WriteStream.prototype.getColorDepth() > 1);
