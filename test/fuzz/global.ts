import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { StepList } from '../../platform/setup/steps.ts';
import { setUpVenv } from '../../platform/setup/venv.ts';
import { DEFAULT_STATE_DIR } from '../../platform/state.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Schemathesis's command. */
    schemathesis: string;
    /** Of everything that is random; `NOTEBURST_FUZZ_SEED` gives another. */
    fuzzSeed: number;
    /** How many cases for each operation or property; `NOTEBURST_FUZZ_CASES` gives another. */
    fuzzCases: number;
  }
}

const SEED = 6;
const CASES = 20;

/** vitest's global set-up of the tier: the fuzzer, and what is random the same in each run. */
export default async function setUp(project: TestProject): Promise<void> {
  const venvs = join(DEFAULT_STATE_DIR, 'venv');
  const venv = await new StepList().run('Schemathesis', (notes) => setUpVenv(venvs, 'schemathesis', notes));
  project.provide('schemathesis', join(venv, 'bin', 'schemathesis'));
  project.provide('fuzzSeed', Number(process.env['NOTEBURST_FUZZ_SEED'] ?? SEED));
  project.provide('fuzzCases', Number(process.env['NOTEBURST_FUZZ_CASES'] ?? CASES));
}
