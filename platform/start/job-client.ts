import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/** What this client reads of a job; loose, since a newer service may say more. */
const Job = z.looseObject({
  job_id: z.string(),
  self_url: z.string(),
  status: z.string(),
  timeout: z.number().optional(),
  phase: z.string().optional(),
  progress: z
    .looseObject({
      cells_done: z.number(),
      cells_total: z.number(),
      current_cell: z.number().nullish(),
    })
    .optional(),
  success: z.boolean().optional(),
  ipynb: z.string().optional(),
  partial_ipynb: z.string().optional(),
  ipynb_error: z.looseObject({ name: z.string(), message: z.string() }).optional(),
  error: z.looseObject({ code: z.string(), message: z.string().optional() }).optional(),
});
export type Job = z.infer<typeof Job>;

export interface Submission {
  ipynb: string;
  kernel_name: string;
  timeout: string;
}

const POLL_MS = 150;
/** Beside its own time a job may wait for the lab, and the executor may have to try it again. */
const SLACK_MS = 180_000;

/** A caller of Noteburst like any other: a URL and a token. */
export class JobClient {
  readonly #url: string;
  readonly #token: string;
  readonly #signal: AbortSignal;

  constructor(url: string, token: string, signal: AbortSignal) {
    this.#url = url;
    this.#token = token;
    this.#signal = signal;
  }

  submit(submission: Submission): Promise<Job> {
    return this.#request(`${this.#url}/v1/notebooks/`, 202, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(submission),
    });
  }

  /** Polls until the job is complete, and tells of each answer on the way. */
  async complete(job: Job, onPoll: (job: Job) => void): Promise<Job> {
    const deadline = Date.now() + (job.timeout ?? 300) * 1_000 + SLACK_MS;
    for (;;) {
      const now = await this.#request(job.self_url, 200);
      onPoll(now);
      if (now.status === 'complete') return now;
      if (Date.now() > deadline)
        throw new Error(`job ${job.job_id} is still ${now.status}; this is too long`);
      await sleep(POLL_MS, undefined, { signal: this.#signal });
    }
  }

  async #request(url: string, expected: number, init: RequestInit = {}): Promise<Job> {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${this.#token}`);
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(30_000)]);
    const response = await fetch(url, { ...init, headers, signal });
    const text = await response.text();
    if (response.status !== expected) {
      throw new Error(`${init.method ?? 'GET'} ${url} answered ${response.status}: ${text.slice(0, 1_000)}`);
    }
    return Job.parse(JSON.parse(text));
  }
}
