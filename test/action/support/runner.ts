/** Runs the action as GitHub's runner does: by its action.yml, with the runner's files and environment. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { inject } from 'vitest';
import { parse } from 'yaml';
import { testRunId, TEST_RUN_VARIABLE } from '../../support/test-run.ts';
import { readPrinted, type Command } from './commands.ts';

export interface Step {
  with: Record<string, string>;
  workspace: string;
  event?: { name: string; payload: unknown };
  /** What the job has beside the runner's own, such as where OIDC tokens are to be had. */
  env?: Record<string, string>;
  /** Called once it runs. */
  meanwhile?: (process: ChildProcess) => Promise<void>;
}

export interface StepResult {
  code: number | null;
  /** All that the step printed, as it is. */
  printed: string;
  commands: Command[];
  /** What the log shows, but for commands and colours. */
  log: string;
  outputs: Record<string, string>;
  summary: string;
  /** How long it took after `meanwhile` was done. */
  milliseconds: number;
}

interface ActionYaml {
  inputs: Record<string, { default?: string; required?: boolean }>;
  runs: { using: string; main: string };
}

const LIMIT_MS = 45_000;

export async function runStep(step: Step): Promise<StepResult> {
  const actionDir = inject('actionDir');
  const { inputs, runs } = parse(readFileSync(join(actionDir, 'action.yml'), 'utf8')) as ActionYaml;
  const unknown = Object.keys(step.with).find((name) => !(name in inputs));
  if (unknown !== undefined) throw new Error(`action.yml has no input ${unknown}`);
  const dir = mkdtempSync(join(tmpdir(), 'noteburst-runner-'));
  try {
    const file = (name: string, content = '') => {
      writeFileSync(join(dir, name), content);
      return join(dir, name);
    };
    mkdirSync(join(dir, 'temp'));
    const files = { output: file('output'), summary: file('summary') };
    const given = Object.entries(inputs).map(([name, { default: usual = '' }]) => [
      `INPUT_${name.toUpperCase()}`,
      step.with[name] ?? usual,
    ]);
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: dir,
      [TEST_RUN_VARIABLE]: testRunId(),
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_REPOSITORY: 'example/notebooks',
      GITHUB_WORKSPACE: step.workspace,
      GITHUB_OUTPUT: files.output,
      GITHUB_STEP_SUMMARY: files.summary,
      GITHUB_EVENT_NAME: step.event?.name ?? 'workflow_dispatch',
      GITHUB_EVENT_PATH: file('event.json', JSON.stringify(step.event?.payload ?? {})),
      GITHUB_SHA: 'a'.repeat(40),
      RUNNER_TEMP: join(dir, 'temp'),
      ...Object.fromEntries(given),
      ...step.env,
    };
    const child = spawn(process.execPath, [join(actionDir, runs.main)], {
      env,
      cwd: step.workspace,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    try {
      await step.meanwhile?.(child);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    const begun = performance.now();
    const [stdout, stderr] = await ended;
    const milliseconds = performance.now() - begun;
    const { commands, lines } = readPrinted(stdout);
    const outputs = readOutputs(readFileSync(files.output, 'utf8'));
    const summary = readFileSync(files.summary, 'utf8');
    const printed = stdout + stderr;
    return {
      code: child.exitCode,
      printed,
      commands,
      log: stripVTControlCharacters(lines.join('\n')) + stderr,
      outputs,
      summary,
      milliseconds,
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** `name<<delimiter`, the value's lines, and the delimiter. */
function readOutputs(content: string): Record<string, string> {
  const found = content.matchAll(/^([\w-]+)<<(.+)\n([\s\S]*?)\n\2$/gm);
  return Object.fromEntries([...found].map(([, name, , value]) => [name, value]));
}
