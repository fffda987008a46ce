import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { InterruptedError } from '../interrupt.ts';

/**
 * A line that is not shown as it is typed; empty when the input ends before there is one.
 *
 * @throws {InterruptedError} on Ctrl-C
 */
export async function askSecret(
  question: string,
  input: NodeJS.ReadableStream & { isTTY?: boolean } = process.stdin,
): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: input.isTTY === true });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', (line) => resolve(line.trim()));
      lines.once('close', () => resolve(''));
      // A terminal in readline's hands sends no signal.
      lines.once('SIGINT', () => reject(new InterruptedError('interrupted')));
    });
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
