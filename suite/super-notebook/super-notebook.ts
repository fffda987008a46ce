/** A notebook that runs a suite, and shows how it went, inside of Jupyter. */
import type { SuiteCase } from '../plan.ts';
import { submissionOptions } from '../plan.ts';
import { CLIENT, RUN, VERDICT } from './program.ts';

/**
 * @param atOnce how many notebooks are in the service at once
 * @returns the text of an `.ipynb` file; it finds the suite's notebooks from the folder that it lies in
 */
export function superNotebook(name: string, cases: readonly SuiteCase[], atOnce: number): string {
  const told = cases.map(({ name: title, path, options, expectedFailure }) => ({
    name: title,
    path,
    submission: submissionOptions(options),
    ...(expectedFailure ? { expected_failure: expectedFailure } : {}),
  }));
  // Twice: Python reads the JSON from a literal, for its own has other words for true and null.
  const suite = `AT_ONCE = ${atOnce}\nCASES = json.loads(${JSON.stringify(JSON.stringify(told))})\n`;
  const cells = [
    markdown(
      'title',
      `# ${name}\n\nRuns ${told.length} notebooks on the platform, and tells how they did. Made by \`noteburst suite notebook\`.`,
    ),
    code('client', CLIENT),
    code('suite', suite),
    code('run', RUN),
    code('verdict', VERDICT),
  ];
  const metadata = { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } };
  return `${JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells }, undefined, 1)}\n`;
}

const markdown = (id: string, source: string) => ({
  cell_type: 'markdown',
  id,
  metadata: {},
  source: lines(source),
});

const code = (id: string, source: string) => ({
  cell_type: 'code',
  id,
  metadata: {},
  source: lines(source.trimEnd()),
  outputs: [],
  execution_count: null,
});

/** As nbformat keeps text: lines with their ends. */
const lines = (text: string): string[] => text.split(/(?<=\n)/);
