import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A notebook as Jupyter writes it, a line of the file for each line of its source. */
export function notebookText(cells: readonly string[]): string {
  const notebook = {
    cells: cells.map((source, n) => ({
      cell_type: 'code',
      execution_count: null,
      id: `cell-${n}`,
      metadata: {},
      outputs: [],
      source: source.split(/(?<=\n)/),
    })),
    metadata: { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } },
    nbformat: 4,
    nbformat_minor: 5,
  };
  return `${JSON.stringify(notebook, undefined, 1)}\n`;
}

export function writeNotebook(file: string, cells: readonly string[]): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, notebookText(cells));
}

/** What the notebooks of the suite do that are not simply well. */
const TROUBLED: Record<string, string[]> = {
  'wrong/raises.ipynb': ['import math', 'def root(x):\n    return math.sqrt(x)\n\nroot(-1)'],
  'wrong/missing.ipynb': ['a = 1', 'a + missing'],
  'wrong/hangs.ipynb': ['print("until here")', 'import time\ntime.sleep(600)'],
  'wrong/kills.ipynb': ['import os', 'os._exit(1)'],
  'wrong/expected.ipynb': ['raise NotImplementedError("not yet")'],
};

/** Of which the suite leaves out. */
const EXCLUDED = ['drafts/one.ipynb', 'drafts/two.ipynb', 'good/skipped.ipynb'];

const SUITE = `name: Thirty notebooks
exclude: ["drafts/**", "**/skipped.ipynb"]
defaults: { kernel: python3, timeout: 2m }
notebooks:
  - match: wrong/hangs.ipynb
    timeout: 3
  - match: wrong/expected.ipynb
    expected_failure: { reason: "waits for a feature", error: NotImplementedError }
`;

/** How many of them pass. */
export const GOOD = 22;

/** Writes a suite of thirty notebooks: 2 that fail, one hangs, one kills its kernel, one is expected to fail, 3 are left out. */
export function writeSuite(dir: string): void {
  for (const [path, cells] of Object.entries(TROUBLED)) writeNotebook(join(dir, path), cells);
  for (const path of EXCLUDED) writeNotebook(join(dir, path), ['raise RuntimeError("should not be run")']);
  for (let n = 1; n <= GOOD; n++) {
    const name = `good/notebook-${String(n).padStart(2, '0')}.ipynb`;
    writeNotebook(join(dir, name), [
      'import json, statistics',
      `values = list(range(${n}, ${n + 100}))`,
      'statistics.mean(values)',
      'print(json.dumps({"n": len(values)}))',
      'assert len(values) == 100',
    ]);
  }
  writeFileSync(join(dir, 'noteburst.yaml'), SUITE);
}
