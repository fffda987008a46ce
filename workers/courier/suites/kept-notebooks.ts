/** What is kept of a run's executed notebooks: those who see its report can have them, too. */
import { posix } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { MAX_NOTEBOOK_BYTES, MAX_NOTEBOOKS_BYTES } from '../../../lib/queue/suite-runs.ts';
import type { SuiteCase } from '../../../suite/plan.ts';
import type { CaseResult } from '../../../suite/report.ts';

const NOTEBOOK = '.ipynb';
const MAX_STEM_CHARS = 100;
const MIB = 2 ** 20;
const TOO_LARGE = `The executed notebook is not kept: it has more than ${MAX_NOTEBOOK_BYTES / MIB} MiB, or ${MAX_NOTEBOOKS_BYTES / MIB} MiB compressed`;
const TOO_MANY = `The executed notebook is not kept: those of a run may have ${MAX_NOTEBOOKS_BYTES / MIB} MiB compressed, and failures come first`;

const compress = promisify(zstdCompress);

interface Kept {
  file: string;
  /** A zstd frame. */
  compressed: Buffer;
  hasPassed: boolean;
}

/** Within a bound, in which failures come first. */
export class KeptNotebooks {
  readonly #names: ReadonlyMap<string, string>;
  /** By the name of the case. */
  readonly #kept = new Map<string, Kept>();
  readonly #missing = new Map<string, string>();
  #bytes = 0;

  constructor(cases: readonly SuiteCase[]) {
    this.#names = new Map(cases.map((which, index) => [which.name, fileName(which, index)]));
  }

  /** @param hasPassed whether it may go to make room for one that has not */
  async add({ name }: SuiteCase, text: string, hasPassed: boolean): Promise<void> {
    const isLarge = Buffer.byteLength(text) > MAX_NOTEBOOK_BYTES;
    const compressed = isLarge ? undefined : await compress(text);
    if (!compressed || compressed.length > MAX_NOTEBOOKS_BYTES) {
      this.#missing.set(name, TOO_LARGE);
      return;
    }
    if (!hasPassed) this.#makeRoom(compressed.length);
    if (this.#bytes + compressed.length > MAX_NOTEBOOKS_BYTES) {
      this.#missing.set(name, TOO_MANY);
      return;
    }
    this.#kept.set(name, { file: this.#names.get(name) as string, compressed, hasPassed });
    this.#bytes += compressed.length;
  }

  #makeRoom(bytes: number): void {
    const failures = [...this.#kept.values()].filter(({ hasPassed }) => !hasPassed);
    const taken = failures.reduce((sum, { compressed }) => sum + compressed.length, bytes);
    if (taken > MAX_NOTEBOOKS_BYTES) return;
    for (const [name, { compressed, hasPassed }] of this.#kept) {
      if (this.#bytes + bytes <= MAX_NOTEBOOKS_BYTES) return;
      if (!hasPassed) continue;
      this.#kept.delete(name);
      this.#missing.set(name, TOO_MANY);
      this.#bytes -= compressed.length;
    }
  }

  /** By the names of their files. */
  get files(): Map<string, Buffer> {
    return new Map([...this.#kept.values()].map(({ file, compressed }) => [file, compressed]));
  }

  /** Those that have passed, by the name of the case. */
  get passed(): Map<string, Buffer> {
    const all = [...this.#kept].filter(([, { hasPassed }]) => hasPassed);
    return new Map(all.map(([name, { compressed }]) => [name, compressed]));
  }

  /** A result with what there is to say of its executed notebook. @param folder where they are, from the report's folder */
  told(result: CaseResult, folder: string): CaseResult {
    const kept = this.#kept.get(result.name);
    if (kept) return { ...result, executed: `${folder}/${kept.file}` };
    const why = this.#missing.get(result.name);
    return why === undefined ? result : { ...result, warnings: [...(result.warnings ?? []), why] };
  }
}

/** Of the third case, `deep/plots.ipynb [small set]`, `2-plots.small-set.ipynb`: the number makes it unique. */
function fileName({ name, path }: SuiteCase, index: number): string {
  const base = posix.basename(path, NOTEBOOK);
  const set = name.slice(path.length + 2, -1);
  const stem = `${base}${set === '' ? '' : `.${set}`}`.replaceAll(/[^\w.-]+/g, '-').slice(0, MAX_STEM_CHARS);
  return `${index}-${stem}${NOTEBOOK}`;
}
