import { createHash } from 'node:crypto';
import type { PostNotebookRequest } from '../../lib/contract/notebooks-api.ts';

/** SHA-256 digests that tell whether two submissions are the same. */
export interface Fingerprints {
  /** Of what decides how the run goes, and who is told of its end. */
  run: string;
  /** Of everything that is asked for. */
  request: string;
}

/** Of the request as it was understood: `300` and `"5m"` are one timeout, a pool is the queue it was chosen for. A notebook is the same to the letter only. */
export function fingerprintsOf(body: PostNotebookRequest, queueName: string): Fingerprints {
  const { ipynb, kernel_name, timeout, parameters, cell_timeout, enable_retry, callback, ...rest } = body;
  const how = [kernel_name, timeout, parameters, cell_timeout, enable_retry];
  // A job that would tell another is no answer to who wants to be told.
  const run = digest(ipynb, ...how, ...(callback ? [callback] : []));
  return { run, request: digest(run, queueName, rest.priority, rest.tags, rest.coalesce) };
}

const digest = (text: string, ...more: unknown[]): string =>
  createHash('sha256').update(JSON.stringify(more)).update(text).digest('hex');
