import { writeFileSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import type { CommandModule } from 'yargs';
import { loadSuite } from '../../suite/load-suite.ts';
import { SuiteError } from '../../suite/suite-file.ts';
import { planSuite, SUPER_NOTEBOOK } from '../../suite/plan.ts';
import { oneLine } from '../../suite/reports/terminal-style.ts';
import { superNotebook } from '../../suite/super-notebook/super-notebook.ts';
import { UsageError } from '../exit-code.ts';
import type { ConnectionArguments } from '../options.ts';
import { checkWholeNumber } from '../whole-number.ts';

interface SuiteArguments extends ConnectionArguments {
  suite?: string | undefined;
}

const suite = { type: 'string', describe: 'The suite file; ./noteburst.yaml if there is one' } as const;

const listCommand: CommandModule<SuiteArguments, SuiteArguments> = {
  command: 'list',
  describe: 'List what the suite would run',
  handler: async (args) => {
    const { suite: file, dir } = loadSuite(process.cwd(), args.suite, []);
    for (const { name, expectedFailure } of await planSuite({ dir, suite: file })) {
      console.log(oneLine(expectedFailure ? `${name} (expected to fail: ${expectedFailure.reason})` : name));
    }
  },
};

const notebookCommand: CommandModule<SuiteArguments, SuiteArguments & { file: string; jobs: number }> = {
  command: 'notebook [file]',
  describe: 'Write a notebook that runs the suite inside of Jupyter and shows a table of the results',
  builder: (command) =>
    command
      .positional('file', {
        type: 'string',
        default: SUPER_NOTEBOOK,
        describe: 'Where to, in the folder of the suite',
      })
      .option('jobs', { alias: 'j', type: 'number', default: 20, describe: 'How many notebooks at once' })
      .check(({ jobs }) => checkWholeNumber('--jobs', jobs)),
  handler: async (args) => {
    const { suite: file, dir } = loadSuite(process.cwd(), args.suite, []);
    if (file.regression) {
      throw new SuiteError(
        'The suite has "regression", and a notebook that runs a suite compares no outputs: leave it out, or give another --suite',
      );
    }
    const path = resolve(dir, args.file);
    if (dirname(path) !== dir) throw new UsageError(`${args.file}: should lie in the suite's folder, ${dir}`);
    const cases = (await planSuite({ dir, suite: file })).filter((each) => each.file !== path);
    const other = cases.find((each) => extname(each.path) !== '.ipynb');
    if (other)
      throw new UsageError(`${other.path}: the notebook that runs a suite can run .ipynb files only`);
    writeFileSync(path, superNotebook(file.name ?? 'Notebook suite', cases, args.jobs));
    console.log(`${path}: runs ${cases.length} notebooks`);
  },
};

export const suiteCommand: CommandModule<ConnectionArguments, SuiteArguments> = {
  command: 'suite',
  describe: 'What is in the suite, and a notebook that runs it',
  builder: (command) =>
    command
      .option('suite', suite)
      .command(listCommand)
      .command(notebookCommand)
      .demandCommand(1, 'Say what to do with the suite: list or notebook'),
  handler: () => undefined,
};
