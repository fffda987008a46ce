// `npm start`: sets up, starts the local science platform with Noteburst on it, and runs a notebook.
import { once } from 'node:events';
import { constants } from 'node:os';
import { join } from 'node:path';
import { AlreadyRunningError, forceStop, startPlatform, type Platform } from './platform.ts';
import { messageOf } from './process/errors.ts';
import { freePort } from './process/free-port.ts';
import { killRunning } from './process/run.ts';
import { StepList } from './setup/steps.ts';
import { JobClient } from './start/job-client.ts';
import { parseOptions, UsageError, type StartOptions } from './start/options.ts';
import { removeReadyFile, writeReadyFile } from './start/ready-file.ts';
import { CellProgress, problemOf, shown, writeResults } from './start/report.ts';
import { StopSignals } from './start/stop-signals.ts';
import { statePaths } from './state.ts';

const EXIT = { ok: 0, notebookFailed: 1, usage: 2, platformTrouble: 3 } as const;
const DEFAULT_PORT = 8080;

const steps = new StepList();

/** The default port, or the next one that is free; one that was asked for must be free. */
async function choosePort(asked: number | undefined): Promise<number> {
  if (asked !== undefined) {
    if ((await freePort(asked)) === undefined) throw new UsageError(`error: port ${asked} is taken`);
    return asked;
  }
  for (let port = DEFAULT_PORT; port < DEFAULT_PORT + 100; port++) {
    if ((await freePort(port)) !== undefined) return port;
  }
  return 0;
}

/** Runs the notebook as any caller would; answers the exit code. */
async function runNotebook(
  options: StartOptions,
  platform: Platform,
  token: string,
  signal: AbortSignal,
): Promise<number> {
  const client = new JobClient(platform.noteburstUrl, token, signal);
  steps.say(`\nSubmitting ${shown(options.notebookPath)} (kernel ${options.kernel})`);
  const { notebook: ipynb, kernel: kernel_name, timeout } = options;
  const submitted = await client.submit({ ipynb, kernel_name, timeout });
  steps.say(`  ${submitted.self_url}`);
  const progress = new CellProgress((line) => steps.say(line));
  const job = await client.complete(submitted, (job) => progress.show(job));
  const executed = job.ipynb ?? job.partial_ipynb;
  if (executed !== undefined) {
    const { name, outDir } = options;
    const target = {
      name,
      outDir,
      venvDir: platform.venvDir,
      homeDir: join(options.stateDir, 'tools'),
      signal,
    };
    const files = await steps.run('Writing the results', () => writeResults(executed, target));
    for (const file of files) steps.say(`  ${shown(file)}`);
  }
  const problem = problemOf(job);
  steps.say(problem ?? 'The notebook ran without an error.');
  steps.say(`
Job    ${submitted.self_url}
Token  ${token}

${options.stay ? 'Try' : 'While it runs (npm start -- --stay stays up)'}:
curl -s -H 'Authorization: Bearer ${token}' '${submitted.self_url}'
`);
  return problem === undefined ? EXIT.ok : EXIT.notebookFailed;
}

/** Everything between the command line and the exit code. */
async function main(options: StartOptions, stop: StopSignals): Promise<number> {
  const { signal } = stop;
  const { stateDir } = options;
  const paths = statePaths(stateDir);
  let platform: Platform | undefined;
  let code: number = EXIT.ok;
  try {
    const originPort = await choosePort(options.port);
    const identities = Array.from(
      { length: options.executors },
      (_, n) => `bot-noteburst${`${n + 1}`.padStart(2, '0')}`,
    );
    const logLevel = options.verbose ? 'DEBUG' : 'INFO';
    const { executors, callbacks } = options;
    platform = await startPlatform(
      {
        stateDir,
        originPort,
        identities,
        executors,
        logLevel,
        steps,
        ...(callbacks !== undefined && { callbackHosts: callbacks }),
      },
      signal,
    );
    const started = platform.executors;
    await steps.run(
      executors === 1 ? 'Executor with a warm lab' : `${executors} executors with warm labs`,
      () => Promise.all(started.map((executor) => executor.ready())),
    );
    const token = await platform.createToken({ username: 'astronomer', lifetimeSeconds: 24 * 3600 });
    writeReadyFile(paths.ready, platform, token);
    steps.say(`\nNoteburst is ready: ${platform.noteburstUrl}`);
    code = await runNotebook(options, platform, token, signal);
    if (options.stay) {
      steps.say(`Everything stays up; Ctrl-C stops it. Logs: ${shown(paths.logs)}/`);
      // An abort event alone does not keep a process alive.
      const keepAlive = setInterval(() => {}, 60_000);
      if (!signal.aborted) await once(signal, 'abort');
      clearInterval(keepAlive);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (!signal.aborted) {
      code = EXIT.platformTrouble;
      const hint = error instanceof AlreadyRunningError ? '' : `\nLogs: ${shown(paths.logs)}/`;
      process.stderr.write(`\nerror: ${messageOf(error)}${hint}\n`);
    }
  } finally {
    if (platform) {
      removeReadyFile(paths.ready);
      await stopPlatform(platform);
    }
  }
  const by = stop.received;
  if (by === undefined) return code;
  // Ctrl-C is how a platform that stays is meant to end.
  const meant = by === 'SIGINT' && options.stay && platform !== undefined && code === EXIT.ok;
  return meant ? EXIT.ok : 128 + constants.signals[by];
}

async function stopPlatform(platform: Platform): Promise<void> {
  try {
    await steps.run('Stopping labs and services', () => platform.stop());
  } catch (error) {
    process.stderr.write(`warning: ${messageOf(error)}\n`);
  }
}

try {
  const options = parseOptions(process.argv.slice(2), process.stdin.isTTY && process.stdout.isTTY);
  const stop = new StopSignals(() => {
    steps.say('Stopping at once');
    killRunning();
    void forceStop(options.stateDir).finally(() => process.exit(130));
  });
  stop.signal.addEventListener('abort', () => steps.say(`\nStopping (${stop.received}) …`));
  process.exitCode = await main(options, stop);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  (error.exitCode === 0 ? process.stdout : process.stderr).write(`${error.message}\n`);
  process.exitCode = error.exitCode;
}
// A connection somewhere in a pool must not hold up the end.
process.exit();
