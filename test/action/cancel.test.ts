import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, test } from 'vitest';
import { NoteburstClient } from '../../client/client.ts';
import { notebookFile } from './support/notebooks.ts';
import { Repository } from './support/repository.ts';
import { runStep } from './support/runner.ts';

const { baseUrl, token } = inject('noteburst');
const client = new NoteburstClient({ baseUrl, token });

/** What the runner gives a step that is cancelled before its SIGTERM. */
const GRACE_MS = 7_500;

async function runningJobs(count: number): Promise<string[]> {
  const signal = AbortSignal.timeout(30_000);
  for (;;) {
    const { jobs } = await client.list({}, signal);
    const running = jobs.filter(({ phase }) => phase === 'running');
    if (running.length === count) return running.map(({ job_id: id }) => id);
    await sleep(100, undefined, { signal });
  }
}

test('cancelling the workflow cancels what runs in the service', async () => {
  const slow = notebookFile('import time\ntime.sleep(120)');
  using repository = new Repository({ 'a.ipynb': slow, 'b.ipynb': slow });
  let jobs: string[] = [];
  const result = await runStep({
    with: { 'base-url': baseUrl, token, paths: '.' },
    workspace: repository.checkout(),
    meanwhile: async (step) => {
      jobs = await runningJobs(2);
      step.kill('SIGINT');
    },
  });
  expect(result.milliseconds).toBeLessThan(GRACE_MS);
  expect(result.code).toBe(1);
  expect(result.outputs).toMatchObject({ verdict: 'incomplete', passed: '0', failed: '0' });
  expect(result.commands.at(-1)).toMatchObject({ name: 'error', message: '2 cancelled' });
  const ended = await Promise.all(jobs.map((id) => client.wait(id, { signal: AbortSignal.timeout(20_000) })));
  expect(ended.map(({ phase }) => phase)).toEqual(['aborted', 'aborted']);
});
