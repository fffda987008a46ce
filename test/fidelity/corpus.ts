import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Notebook } from '../../lib/contract/nbformat.ts';
import { codeCell } from '../support/notebooks.ts';

const FOLDER = join(import.meta.dirname, 'corpus');

/** A notebook of the corpus, as text; its name says what it shows. */
export interface CorpusNotebook {
  name: string;
  ipynb: string;
  kernelName: string;
}

/** Every notebook of the corpus: the files beside this one, and those too large to be files. */
export function corpus(): CorpusNotebook[] {
  const files = readdirSync(FOLDER).map((file) => [
    basename(file, '.ipynb'),
    readFileSync(join(FOLDER, file), 'utf8'),
  ]);
  return [...files, ...large()].map(([name = '', ipynb = '']) => {
    const { metadata } = JSON.parse(ipynb) as Notebook;
    return { name, ipynb, kernelName: (metadata['kernelspec'] as { name: string }).name };
  });
}

function large(): [name: string, ipynb: string][] {
  return [
    ['large-100000-lines', ofCells(['for n in range(100_000):\n    print(n)', '"done"'])],
    [
      'large-lines-to-both-streams',
      ofCells([
        'import sys\n' +
          'for n in range(2_000):\n' +
          '    print(n, file=sys.stderr if n % 1_000 == 0 else sys.stdout, flush=n % 1_000 in (0, 999))',
      ]),
    ],
    [
      'large-line',
      ofCells(['print("x" * 1_000_000)', '"y" * 200_000', `text = "${'z'.repeat(200_000)}"\nlen(text)`]),
    ],
    ['large-number-of-displays', ofCells(['for n in range(500):\n    display(n)'])],
    ['large-number-of-cells', ofCells(Array.from({ length: 1_000 }, (_, n) => sourceOf(n)))],
  ];
}

/** Cells of all kinds of output, so that one that is mixed up with its neighbour shows. */
function sourceOf(n: number): string {
  return [`x = ${n}`, `print(${n}, x)`, `${n}`, `display(${n})`][n % 4] ?? '';
}

function ofCells(sources: string[]): string {
  const cells = sources.map((source, n) => ({ id: `cell-${n}`, ...codeCell(source) }));
  const kernelspec = { name: 'python3', display_name: 'python3', language: 'python' };
  return JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: { kernelspec }, cells });
}
