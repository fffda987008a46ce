#!/usr/bin/env node
/** The `noteburst` command. */
import yargs from 'yargs';
import { NoteburstError } from '../client/client-error.ts';
import { SuiteError } from '../suite/suite-file.ts';
import { cancelCommand, downloadCommand, listCommand, statusCommand, waitCommand } from './commands/jobs.ts';
import { loginCommand } from './commands/login.ts';
import { runCommand } from './commands/run.ts';
import { suiteCommand } from './commands/suite.ts';
import { EXIT, UsageError } from './exit-code.ts';
import { isInterrupted } from './interrupt.ts';
import { connectionOptions, fromEnvironment } from './options.ts';
import { VERSION } from './version.ts';

const EPILOGUE = `Environment: NOTEBURST_BASE_URL, NOTEBURST_TOKEN; NOTEBURST_TIMEOUT and so on stand for the options of "run".
Exit codes:
  0    all is well
  1    a notebook failed
  2    wrong usage; also what the service refuses, such as an unknown image
  3    trouble with the service
  130  interrupted`;

const parser = yargs()
  .scriptName('noteburst')
  .usage(
    '$0 <command>\n\nRuns Jupyter notebooks on a science platform that has Noteburst, and says how they did.',
  )
  .parserConfiguration({ 'greedy-arrays': false, 'camel-case-expansion': false })
  .options(connectionOptions)
  .config(fromEnvironment(process.env, Object.keys(connectionOptions)))
  .command(runCommand)
  .command(suiteCommand)
  .command(statusCommand)
  .command(waitCommand)
  .command(cancelCommand)
  .command(downloadCommand)
  .command(listCommand)
  .command(loginCommand)
  .completion('completion', 'Print a script that completes the command in bash or zsh')
  .demandCommand(1, 'Say what to do, for example: noteburst run my-notebook.ipynb')
  .recommendCommands()
  .strict()
  .version(VERSION)
  .alias({ h: 'help', V: 'version' })
  .help()
  .epilogue(EPILOGUE)
  .wrap(Math.min(100, process.stdout.columns ?? 100))
  .locale('en')
  .fail((message, error) => {
    throw error ?? new UsageError(message);
  });

try {
  await parser.parseAsync(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error as Error);
}

/** Tells what is wrong in one line; a stack is for faults of the command itself. */
function report(error: Error): number {
  if (isInterrupted(error)) return EXIT.interrupted;
  if (error instanceof UsageError || error instanceof SuiteError) {
    console.error(`noteburst: ${error.message}`);
    if (error instanceof UsageError) console.error('See: noteburst --help');
    return EXIT.usage;
  }
  if (error instanceof NoteburstError) {
    console.error(`noteburst: ${error.message}`);
    return EXIT.service;
  }
  console.error(error);
  return EXIT.service;
}
