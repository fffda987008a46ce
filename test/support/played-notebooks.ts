/** The answers of a service that has run each notebook as soon as it takes it: cells put out what they are told to. */
import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import type { Notebook } from '../../lib/contract/nbformat.ts';
import type { ServiceReply } from './suite-bench.ts';

/** What a cell puts out; an exception of this name ends the notebook. */
export type Played = { text: string } | { raises: string };

export class PlayedNotebooks {
  /** By the source of a cell. */
  play: (source: string) => Played = () => ({ text: '' });
  readonly #jobs = new Map<string, { ipynb: string }>();

  async answer(request: IncomingMessage): Promise<ServiceReply> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    if (request.method !== 'POST') {
      const { ipynb, ...job } = this.#jobs.get(pathname.split('/').at(-1) ?? '') ?? { ipynb: undefined };
      return { status: 200, json: searchParams.get('result') === 'false' ? job : { ...job, ipynb } };
    }
    const { ipynb } = (await json(request)) as { ipynb: string | Notebook };
    const job = this.#run(typeof ipynb === 'string' ? (JSON.parse(ipynb) as Notebook) : ipynb);
    this.#jobs.set(job.job_id, job);
    return { status: 202, json: job };
  }

  #run(notebook: Notebook) {
    let raised: string | undefined;
    for (const cell of notebook.cells) {
      if (cell.cell_type !== 'code' || raised !== undefined) continue;
      const played = this.play([cell.source].flat().join(''));
      cell.execution_count = 1;
      if ('text' in played) {
        cell.outputs = [{ output_type: 'stream', name: 'stdout', text: played.text }];
      } else {
        raised = played.raises;
        cell.outputs = [{ output_type: 'error', ename: raised, evalue: '', traceback: [] }];
      }
    }
    const job_id = `nbexec-${crypto.randomUUID().replaceAll('-', '')}`;
    const now = new Date().toISOString();
    return {
      job_id,
      kernel_name: 'lsst',
      status: 'complete',
      phase: 'completed',
      enqueue_time: now,
      start_time: now,
      finish_time: now,
      self_url: `https://data.example.org/noteburst/v1/notebooks/${job_id}`,
      timeout: 300,
      success: true,
      ipynb: JSON.stringify(notebook),
      ...(raised !== undefined && { ipynb_error: { name: raised, message: '' } }),
    };
  }
}
