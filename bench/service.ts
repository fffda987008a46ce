import { setTimeout as sleep } from 'node:timers/promises';
import type { NotebookResponse } from '../lib/contract/notebooks-api.ts';
import { notebookOf, type Case } from './cases.ts';

const TIMEOUT_MS = 300_000;

/** The service as a caller sees it, through the ingress. */
export class Service {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #signal: AbortSignal;

  constructor(url: string, token: string, signal: AbortSignal) {
    this.#url = url;
    this.#headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    this.#signal = signal;
  }

  /** From POST to the result, by a client that polls. */
  async polled(item: Case, everyMs: number): Promise<void> {
    const posted = await this.#post(item, {});
    for (let job = posted; ; job = await this.#get(posted.self_url)) {
      if (job.status === 'complete') return assertRan(job);
      if (Date.parse(job.enqueue_time) + TIMEOUT_MS < Date.now())
        throw new Error(`no result: ${job.self_url}`);
      await sleep(everyMs);
    }
  }

  /** From POST to the result, by a client that waits in the POST (`Prefer: wait`) and, if need be, in GETs. */
  async waited(item: Case): Promise<void> {
    const prefer = { prefer: 'wait=25' };
    const posted = await this.#post(item, prefer);
    for (let job = posted; ; job = await this.#get(posted.self_url, prefer)) {
      if (job.status === 'complete') return assertRan(job);
      if (Date.parse(job.enqueue_time) + TIMEOUT_MS < Date.now())
        throw new Error(`no result: ${job.self_url}`);
    }
  }

  async #post(item: Case, headers: Record<string, string>): Promise<NotebookResponse> {
    const response = await fetch(`${this.#url}/v1/notebooks/`, {
      method: 'POST',
      headers: { ...this.#headers, ...headers },
      body: JSON.stringify({ ipynb: notebookOf(item), kernel_name: 'python3' }),
      signal: this.#signal,
    });
    if (!response.ok) throw new Error(`POST answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as NotebookResponse;
  }

  async #get(url: string, headers: Record<string, string> = {}): Promise<NotebookResponse> {
    const response = await fetch(url, { headers: { ...this.#headers, ...headers }, signal: this.#signal });
    return (await response.json()) as NotebookResponse;
  }
}

function assertRan(job: NotebookResponse): void {
  if (!job.success || job.ipynb_error) {
    throw new Error(`the notebook failed: ${JSON.stringify(job.error ?? job.ipynb_error)}`);
  }
}
