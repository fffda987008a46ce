import type { Argv } from 'yargs';
import { JOB_PRIORITIES, type JobPriority } from '../../lib/contract/nbexec-job.ts';
import { runOptions, type RunOptions } from '../../suite/suite-file.ts';
import type { ReportFiles } from '../../suite/write-reports.ts';
import { UsageError } from '../exit-code.ts';
import { fromEnvironment, SETTABLE, type ConnectionArguments } from '../options.ts';
import { parametersOf } from '../parameters.ts';
import { checkWholeNumber } from '../whole-number.ts';

export interface RunArguments extends ConnectionArguments, ReportFiles {
  paths?: string[] | undefined;
  suite?: string | undefined;
  exclude: string[];
  jobs: number;
  param: string[];
  parameters?: string | undefined;
  kernel?: string | undefined;
  image?: string | undefined;
  size?: string | undefined;
  timeout?: string | undefined;
  'cell-timeout'?: string | undefined;
  priority?: JobPriority | undefined;
  retry?: boolean | undefined;
  out?: string | undefined;
  baseline?: string | undefined;
  previous?: string | undefined;
  watch: boolean;
  'fail-fast': boolean;
}

const LISTS: ReadonlySet<string> = new Set(['_', 'paths', 'exclude', 'param', 'p']);

export function runArguments(command: Argv<ConnectionArguments>): Argv<RunArguments> {
  return command
    .positional('paths', {
      type: 'string',
      array: true,
      describe:
        'Notebooks, folders, or patterns such as "tutorials/**/*.ipynb"; without any, those of noteburst.yaml',
    })
    .options({
      suite: {
        type: 'string',
        describe: 'The suite file; ./noteburst.yaml if there is one',
        group: 'Which:',
      },
      exclude: {
        type: 'string',
        array: true,
        default: [],
        describe: 'A pattern of notebooks to leave out',
        group: 'Which:',
      },
      param: {
        alias: 'p',
        type: 'string',
        array: true,
        default: [],
        describe: 'A parameter, as name=value',
        group: 'How:',
      },
      parameters: { type: 'string', describe: 'A YAML or JSON file of parameters', group: 'How:' },
      kernel: { type: 'string', describe: 'The Jupyter kernel', group: 'How:' },
      image: { type: 'string', describe: 'The image of the lab', group: 'How:' },
      size: { type: 'string', describe: 'The size of the lab', group: 'How:' },
      timeout: {
        type: 'string',
        describe: 'How long each notebook may take, such as 90, 5m, 1h30m',
        group: 'How:',
      },
      'cell-timeout': { type: 'string', describe: 'How long each cell may take', group: 'How:' },
      priority: {
        choices: JOB_PRIORITIES,
        defaultDescription: 'ci',
        describe: 'How soon the results are wanted',
        group: 'How:',
      },
      retry: {
        type: 'boolean',
        defaultDescription: 'true',
        describe: 'Run again what lost its lab; --no-retry: do not',
        group: 'How:',
      },
      jobs: {
        alias: 'j',
        type: 'number',
        default: 20,
        describe: 'How many notebooks at once',
        group: 'How:',
      },
      'fail-fast': {
        type: 'boolean',
        default: false,
        describe: 'Stop all when one has failed',
        group: 'How:',
      },
      watch: {
        type: 'boolean',
        default: false,
        describe: 'Run again what changes, until Ctrl-C',
        group: 'How:',
      },
      out: { type: 'string', describe: 'A folder for the executed notebooks', group: 'Results:' },
      baseline: {
        type: 'string',
        describe: 'The folder with the last good run of each notebook, for regression: { against: last }',
        group: 'Results:',
      },
      html: { type: 'string', describe: 'Write a page for people to this file', group: 'Results:' },
      junit: { type: 'string', describe: 'Write JUnit XML to this file', group: 'Results:' },
      markdown: { type: 'string', describe: 'Write a summary in Markdown to this file', group: 'Results:' },
      json: { type: 'string', describe: 'Write everything as JSON to this file', group: 'Results:' },
      previous: {
        type: 'string',
        describe: 'Compare with this file, the --json of an earlier run',
        group: 'Results:',
      },
    })
    .config(fromEnvironment(process.env, SETTABLE))
    .check((args) => {
      const { jobs } = args;
      checkWholeNumber('--jobs', jobs);
      for (const [name, value] of Object.entries(args)) {
        if (Array.isArray(value) && !LISTS.has(name)) throw new UsageError(`--${name} is given twice`);
      }
      return true;
    })
    .example('$0 run analysis.ipynb --out executed', 'Run one and keep what came of it')
    .example('$0 run "docs/**/*.ipynb" --exclude "**/draft-*" --junit results.xml', 'For a CI system')
    .example('$0 run demo.ipynb -p n=100 -p name=M31 --timeout 10m', 'With parameters')
    .example('$0 run', 'All of the suite in ./noteburst.yaml');
}

/** What is told of how each notebook is run. */
export async function optionsOf(args: RunArguments): Promise<RunOptions> {
  const given = {
    kernel: args.kernel,
    image: args.image,
    size: args.size,
    timeout: args.timeout,
    cell_timeout: args['cell-timeout'],
    retry: args.retry,
    priority: args.priority,
    parameters: await parametersOf(args.parameters, args.param),
  };
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  const { data, error } = runOptions.safeParse(Object.fromEntries(set));
  if (data) return data;
  const [issue] = error.issues;
  const [option, ...inner] = issue?.path ?? [];
  // They come from a file or one by one.
  const where =
    option === 'parameters'
      ? `parameter ${inner.join('.')}`
      : [`--${String(option).replace('_', '-')}`, ...inner].join(': ');
  throw new UsageError(`${where}: ${issue?.message}`);
}
