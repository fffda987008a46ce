import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { waitForLock } from '../process/file-lock.mjs';
import { CommandError, run } from '../process/run.ts';
import { LAB_KINDS, ROOT, type VenvKind } from '../state.ts';
import { downloadPip } from './pip-wheel.ts';
import { findPython, type Python } from './python.ts';
import type { StepNotes } from './steps.ts';

const requirementsFile = (kind: VenvKind): string =>
  join(ROOT, 'platform', 'python', `requirements-${kind}.txt`);

/** Where the Python of an environment is. */
export const pythonOf = (venvDir: string): string => join(venvDir, 'bin', 'python');

/**
 * Sets up a Python environment: for labs JupyterHub, JupyterLab, the kernels `python3` and `lsst`. A stamp, written last,
 * says what is there; without it, or with another one, everything is made anew.
 *
 * @returns the environment's folder
 */
export async function setUpVenv(
  venvRoot: string,
  kind: VenvKind,
  notes: StepNotes,
  signal?: AbortSignal,
): Promise<string> {
  const venvDir = join(venvRoot, kind);
  const requirements = hash(kind);
  // Without looking for a Python: that costs a second start 100 ms that it has no use for.
  if (isSetUp(venvDir, requirements)) return done(venvDir, notes);
  const python = await findPython(signal);
  mkdirSync(venvRoot, { recursive: true });
  const release = await waitForLock(join(venvRoot, `${kind}.lock`), {
    ...(signal && { signal }),
    onWait: (pid) => notes.progress(`waiting for process ${pid}, which is setting it up`),
  });
  try {
    if (isSetUp(venvDir, requirements)) return done(venvDir, notes);
    rmSync(venvDir, { recursive: true, force: true });
    await createVenv(python, venvDir, notes, signal);
    notes.progress('downloading packages');
    const pip = ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--no-compile'];
    await run(pythonOf(venvDir), [...pip, '-r', requirementsFile(kind)], {
      signal,
      cwd: venvRoot,
      onLine: (line) => {
        if (/^(Collecting|Installing) /.test(line)) notes.progress(line.slice(0, 60));
      },
    });
    notes.progress('compiling');
    // pip compiles one file after the other; without any, the first lab of all would take several times as long.
    await run(
      pythonOf(venvDir),
      ['-m', 'compileall', '-q', '-j', String(cpus().length), join(venvDir, 'lib')],
      {
        signal,
      },
    ).catch((error: unknown) => {
      // Some packages ship files for other Pythons, which do not compile.
      if (!(error instanceof CommandError)) throw error;
    });
    if (LAB_KINDS.some((lab) => lab === kind)) installKernels(venvDir);
    writeFileSync(stampFile(venvDir), JSON.stringify({ requirements, python: python.version }));
    notes.note(`Python ${python.version}`);
    return venvDir;
  } finally {
    release();
  }
}

const stampFile = (venvDir: string): string => join(venvDir, 'noteburst-stamp.json');

const hash = (kind: VenvKind): string =>
  createHash('sha256')
    .update(readFileSync(requirementsFile(kind)))
    .update(readFileSync(join(ROOT, 'platform', 'python', 'constraints.txt')))
    .digest('hex');

function isSetUp(venvDir: string, requirements: string): boolean {
  try {
    const stamp: unknown = JSON.parse(readFileSync(stampFile(venvDir), 'utf8'));
    // The environment's Python is a link to the system's, which may have been removed since.
    const same =
      typeof stamp === 'object' && stamp !== null && Reflect.get(stamp, 'requirements') === requirements;
    return same && existsSync(pythonOf(venvDir));
  } catch {
    return false;
  }
}

function done(venvDir: string, notes: StepNotes): string {
  notes.alreadyDone();
  return venvDir;
}

/** `python -m venv`; where Debian left out ensurepip, an empty environment into which pip's wheel installs itself. */
async function createVenv(
  python: Python,
  venvDir: string,
  notes: StepNotes,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await run(python.path, ['-m', 'venv', venvDir], { signal });
    return;
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof CommandError)) throw error;
  }
  rmSync(venvDir, { recursive: true, force: true });
  try {
    notes.progress('fetching pip, which this Python does not bring');
    await run(python.path, ['-m', 'venv', '--without-pip', venvDir], { signal });
    const wheel = await downloadPip(venvDir, signal);
    // A wheel is a zip file, and Python runs what is in one.
    await run(pythonOf(venvDir), [join(wheel, 'pip'), 'install', '--no-input', '--no-index', wheel], {
      signal,
    });
  } catch (error) {
    signal?.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `${python.path} cannot make a virtual environment (${why}).\n` +
        'On Debian and Ubuntu: apt-get install python3-venv, and start again.',
      { cause: error },
    );
  }
}

/** Beside ipykernel's own `python3` the kernel that requests mean when they name none. */
function installKernels(venvDir: string): void {
  const kernels = join(venvDir, 'share', 'jupyter', 'kernels');
  const spec = {
    argv: [pythonOf(venvDir), '-m', 'ipykernel_launcher', '-f', '{connection_file}'],
    display_name: 'LSST',
    language: 'python',
    metadata: { debugger: true },
  };
  mkdirSync(join(kernels, 'lsst'), { recursive: true });
  writeFileSync(join(kernels, 'lsst', 'kernel.json'), `${JSON.stringify(spec, undefined, 1)}\n`);
}
