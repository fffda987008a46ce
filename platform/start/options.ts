import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { ROOT } from '../state.ts';

export interface StartOptions {
  notebookPath: string;
  notebook: string;
  /** The results' file name without its ending. */
  name: string;
  stay: boolean;
  port?: number;
  outDir: string;
  stateDir: string;
  timeout: string;
  kernel: string;
  executors: number;
  /** Where callbacks may go, as in NOTEBURST_CALLBACK_ALLOWED_HOSTS. */
  callbacks?: string;
  verbose: boolean;
}

/** Something about the command line; `exitCode` is 0 for what was asked for, as `--help`. */
export class UsageError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}

const EXAMPLE = join(ROOT, 'platform', 'example', 'light-curve.ipynb');
const HELP = `
What happens:
  1. What is missing is set up in .platform/ (the first time: some minutes at most; later: nothing).
  2. A small science platform starts on this machine alone: Redis, JupyterHub with real JupyterLabs, an origin that plays
     the RSP's ingress, Gafaelfawr and discovery, and on it Noteburst's functions and executors.
  3. The notebook is submitted over HTTP and its result written to the --out folder, as .ipynb and as .html.
  4. On a terminal everything stays up, to be tried with curl, until Ctrl-C; else it ends.

Examples:
  npm start                               the example, then stays up
  npm start -- --once                     the example, then ends
  npm start -- my.ipynb --kernel python3  your notebook
  npm start -- --executors 2 --port 9000  two labs; another address

Exit codes:
  0    the notebook ran (or, with --stay, you pressed Ctrl-C)
  1    the notebook raised an error, or its job failed
  2    wrong usage
  3    the platform could not be set up or started
  130, 143, 129  ended by Ctrl-C, SIGTERM, SIGHUP

Logs are in .platform/logs/, the address and tokens of a running platform in .platform/ready.json (--state moves both).`;

const integer =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`a whole number from ${min} to ${max} is needed.`);
    }
    return value;
  };

/** Reads the command line and the notebook: what is wrong with either is said before anything is started. */
export function parseOptions(argv: readonly string[], isTTY: boolean): StartOptions {
  let help = '';
  const command = new Command('npm start --')
    .description('Runs a notebook through Noteburst on a science platform of its own.')
    .argument('[notebook]', 'an .ipynb file', EXAMPLE)
    .option('--once', 'run the notebook, print, exit (default when the output is not a terminal)')
    .option('--stay', 'stay up afterwards (default on a terminal)')
    .option('--port <n>', "the origin's port (default: 8080, or the next free one)", integer(1, 65_535))
    .option('--out <dir>', 'where the results go', 'out')
    .option('--state <dir>', 'the state folder, one for each platform that runs', '.platform')
    .option('--timeout <duration>', 'how long the notebook may run: 90, 5m, "1h 30m"', '5m')
    .option('--kernel <name>', 'which kernel runs it: lsst or python3', 'lsst')
    .option('--executors <n>', 'how many labs take jobs', integer(1, 16), 1)
    .option('--callbacks <hosts>', 'start a courier that may call these: internal:localhost:8443')
    .option('--verbose', 'the services log more')
    .addHelpText('after', HELP)
    .exitOverride()
    .configureOutput({ writeOut: (text) => void (help += text), writeErr: () => {} });
  try {
    command.parse([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new UsageError(help.trimEnd(), 0);
    throw new UsageError(`${error.message}\n(npm start -- --help tells more)`);
  }
  const options = command.opts<{
    once?: true;
    stay?: true;
    port?: number;
    out: string;
    state: string;
    timeout: string;
    kernel: string;
    executors: number;
    callbacks?: string;
    verbose?: true;
  }>();
  if (options.once && options.stay) throw new UsageError('error: --once and --stay exclude each other');
  const notebookPath = resolve(command.args[0] ?? EXAMPLE);
  return {
    notebookPath,
    notebook: readNotebook(notebookPath),
    name: basename(notebookPath, '.ipynb'),
    stay: options.stay ?? (!options.once && isTTY),
    ...(options.port !== undefined && { port: options.port }),
    outDir: resolve(options.out),
    stateDir: resolve(options.state),
    timeout: options.timeout,
    kernel: options.kernel,
    executors: options.executors,
    ...(options.callbacks !== undefined && { callbacks: options.callbacks }),
    verbose: options.verbose ?? false,
  };
}

function readNotebook(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const why =
      error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'there is no such file' : error;
    throw new UsageError(`error: cannot read ${path}: ${String(why)}`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new UsageError(`error: ${path} is not a notebook: it is not JSON`);
  }
  const isNotebook =
    typeof parsed === 'object' && parsed !== null && 'cells' in parsed && Array.isArray(parsed.cells);
  if (!isNotebook)
    throw new UsageError(`error: ${path} is not a notebook of format 4: it has no list of cells`);
  return text;
}
