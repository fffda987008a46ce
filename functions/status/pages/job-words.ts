/** What a job's state is called on pages. */
import type { JobPhase } from '../../../lib/contract/job-status.ts';
import type { NotebookResponse } from '../../../lib/contract/notebooks-api.ts';
import { markup, type Html } from '../../../lib/html/markup.ts';

const PHASES: Record<JobPhase, [name: string, look: 'good' | 'bad' | 'busy' | 'calm']> = {
  queued: ['Waiting', 'calm'],
  leasing: ['Starting', 'busy'],
  running: ['Running', 'busy'],
  cancelling: ['Cancelling', 'busy'],
  completed: ['Finished', 'good'],
  aborted: ['Cancelled', 'calm'],
  failed: ['Failed', 'bad'],
};

export function badge({ phase, ipynb_error }: NotebookResponse): Html {
  const [name, look] =
    ipynb_error && phase === 'completed' ? (['Raised an error', 'bad'] as const) : PHASES[phase];
  return markup`<span class="badge ${look}">${name}</span>`;
}

/** A job's first tag, which pages make its file's name; else its kernel. */
export const titleOf = ({ tags, kernel_name }: NotebookResponse): string =>
  tags?.[0] ?? `Notebook in ${kernel_name}`;

/** Enough of an id to tell one's own jobs apart. */
export const shortId = ({ job_id }: NotebookResponse): string => job_id.slice(-8);
