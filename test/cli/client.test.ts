import { expect, inject, test } from 'vitest';
import { NoteburstClient } from '../../client/client.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';

const { baseUrl, token } = inject('noteburst');
const client = new NoteburstClient({ baseUrl, token });

test('the client follows a job, waits for it and downloads what came of it', async () => {
  const cells = [codeCell('print("one")'), codeCell('print("two")')];
  const { job_id: id } = await client.submit({ ipynb: ipynb({ cells }), kernel_name: 'python3' });
  const events = await Array.fromAsync(client.events(id));
  const ofCell = ['cell_started', 'output', 'cell_finished'];
  expect(events.map(({ type }) => type)).toEqual(['job_started', ...ofCell, ...ofCell, 'job_ended']);
  expect(await client.wait(id)).toMatchObject({ success: true, phase: 'completed' });
  expect(await client.download(id)).toContain('two');
  const { jobs } = await client.list({ limit: 1 });
  expect(jobs[0]?.job_id).toBe(id);
  expect(client.pageOf(id)).toBe(jobs[0]?.self_url);
});
