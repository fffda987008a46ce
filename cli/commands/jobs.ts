/** The commands about single jobs. */
import { writeFileSync } from 'node:fs';
import type { CommandModule } from 'yargs';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { RefusedError } from '../../client/client-error.ts';
import { isTrouble } from '../../suite/verdict.ts';
import { EXIT, UsageError } from '../exit-code.ts';
import { untilInterrupted } from '../interrupt.ts';
import { connect, type ConnectionArguments } from '../options.ts';
import { harmless } from '../../suite/reports/terminal-style.ts';
import { paintFor } from '../terminal/colours.ts';
import { checkWholeNumber } from '../whole-number.ts';

type JobArguments = ConnectionArguments & { job: string };
type JsonArguments = { json: boolean };

const job = { type: 'string', demandOption: true, describe: 'The id of a job' } as const;
const json = { type: 'boolean', default: false, describe: 'Print what the service answers' } as const;

/** Of one page, as the service has it. */
const MOST_LISTED = 100;

export const statusCommand: CommandModule<ConnectionArguments, JobArguments & JsonArguments> = {
  command: 'status <job>',
  describe: 'Say how a job is doing',
  builder: (command) => command.positional('job', job).option('json', json),
  handler: async (args) => show(await connect(args).get(args.job), args.json),
};

export const waitCommand: CommandModule<ConnectionArguments, JobArguments & JsonArguments> = {
  command: 'wait <job>',
  describe: 'Wait for the end of a job; exit code 1 when its notebook failed, 3 when nothing is known of it',
  builder: (command) => command.positional('job', job).option('json', json),
  handler: async (args) => {
    const ended = await connect(args).wait(args.job, { signal: untilInterrupted() });
    show(ended, args.json);
    process.exitCode = exitCodeOfJob(ended);
  },
};

export const cancelCommand: CommandModule<ConnectionArguments, ConnectionArguments & { jobs: string[] }> = {
  command: 'cancel <jobs..>',
  describe: 'Cancel jobs',
  builder: (command) =>
    command.positional('jobs', { type: 'string', array: true, demandOption: true, describe: 'Their ids' }),
  handler: async (args) => {
    const client = connect(args);
    for (const id of args.jobs) {
      try {
        show(await client.cancel(id), false);
      } catch (error) {
        // The others are to be cancelled all the same, but for a service that takes none.
        if (!(error instanceof RefusedError) || error.status !== 404) throw error;
        console.error(`noteburst: ${id}: ${error.message}`);
        process.exitCode = EXIT.service;
      }
    }
  },
};

export const downloadCommand: CommandModule<
  ConnectionArguments,
  JobArguments & { file?: string | undefined }
> = {
  command: 'download <job> [file]',
  describe: 'Write the executed notebook of a job to a file, or to the standard output',
  builder: (command) =>
    command.positional('job', job).positional('file', { type: 'string', describe: 'Where to' }),
  handler: async (args) => {
    const ipynb = await connect(args).download(args.job);
    if (ipynb === undefined)
      throw new UsageError(`${args.job} has no notebook to download: see noteburst status`);
    if (args.file === undefined) process.stdout.write(ipynb);
    else writeFileSync(args.file, ipynb);
  },
};

export const listCommand: CommandModule<
  ConnectionArguments,
  ConnectionArguments & JsonArguments & { limit: number }
> = {
  command: 'list',
  describe: 'List your newest jobs',
  builder: (command) =>
    command
      .option('limit', {
        type: 'number',
        default: 20,
        describe: `How many at most; ${MOST_LISTED} is the most there is`,
      })
      .option('json', json)
      .check(({ limit }) => checkWholeNumber('--limit', limit, MOST_LISTED)),
  handler: async (args) => {
    const list = await connect(args).list({ limit: args.limit });
    if (args.json) return console.log(JSON.stringify(list, undefined, 2));
    for (const each of list.jobs) console.log(`${each.enqueue_time}  ${line(each)}`);
  },
};

/** As for a suite; of a job that was cancelled nothing is known either. */
function exitCodeOfJob({ error, ipynb_error: raised }: NotebookResponse): number {
  if (error && (error.reason === 'cancelled' || isTrouble(error))) return EXIT.service;
  return error || raised ? EXIT.failed : EXIT.ok;
}

function show(told: NotebookResponse, asJson: boolean): void {
  if (asJson) return console.log(JSON.stringify(told, undefined, 2));
  console.log(line(told));
  if (told.traceback) {
    const isColoured = paintFor(process.stdout)('red', 'x') !== 'x';
    console.log(harmless(told.traceback.join('\n'), isColoured));
  }
}

/** Like `nbexec-… running 3/7 cells`. */
function line(told: NotebookResponse): string {
  const { job_id: id, phase, progress, ipynb_error: raised, error, tags } = told;
  const cells = progress ? `  ${progress.cells_done}/${progress.cells_total} cells` : '';
  const why = raised ? `${raised.name}: ${raised.message}` : (error?.message ?? '');
  const named = tags ? `  ${tags.join(', ')}` : '';
  return `${id}  ${phase}${cells}${named}${why === '' ? '' : `  ${harmless(why, false)}`}`;
}
