/** The action as GitHub's runner starts it. */
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFailed } from '@actions/core';
import { NoteburstError } from '../client/client-error.ts';
import { SuiteError } from '../suite/suite-file.ts';
import { InputError, readInputs } from './inputs.ts';
import { runAction, type Runner } from './run.ts';
import { TokenError } from './token-exchange.ts';

function readRunner(env: NodeJS.ProcessEnv): Runner {
  const eventPath = env['GITHUB_EVENT_PATH'];
  return {
    workspace: env['GITHUB_WORKSPACE'] ?? process.cwd(),
    temp: env['RUNNER_TEMP'] ?? tmpdir(),
    event: {
      name: env['GITHUB_EVENT_NAME'] ?? 'unknown',
      payload: eventPath ? JSON.parse(readFileSync(eventPath, 'utf8')) : undefined,
    },
    revision: env['GITHUB_SHA'],
  };
}

const EXPECTED = [InputError, TokenError, SuiteError, NoteburstError];

// git, which is asked what has changed, has nobody to ask for a password.
process.env['GIT_TERMINAL_PROMPT'] = '0';
const runner = readRunner(process.env);
try {
  await runAction(readInputs(), runner);
} catch (error) {
  setFailed(textOf(error as Error));
}

function textOf(error: Error): string {
  // A stack is for faults of the action itself.
  if (!EXPECTED.some((kind) => error instanceof kind)) return error.stack ?? String(error);
  const isCheckedOut = existsSync(join(runner.workspace, '.git'));
  if (isCheckedOut || !(error instanceof SuiteError)) return error.message;
  return `${error.message}. Is the repository checked out (actions/checkout)?`;
}
