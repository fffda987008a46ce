import { setTimeout as sleep } from 'node:timers/promises';
import { inject } from 'vitest';

export const server = inject('noteburst');

/** A job as v1 clients read it, with whatever else the server says. */
export interface Job extends Record<string, unknown> {
  job_id: string;
  self_url: string;
  kernel_name: string;
  status: string;
  enqueue_time: string;
  timeout?: number;
  start_time?: string;
  finish_time?: string;
  success?: boolean;
  ipynb?: string;
  source?: string;
  ipynb_error?: { name: string; message: string };
  error?: { code: string; message?: string; exception_type?: string };
}

export interface Answer<Body> {
  status: number;
  headers: Headers;
  text: string;
  json: Body;
}

export interface ErrorBody {
  detail: { type: string; msg: string; loc?: (string | number)[] }[];
}

const ANSWER_MS = 30_000;
/** What the queue and a lab that is still cold may take. */
const SLACK_MS = 120_000;

/** A call with the caller's token; redirects are answers, too. */
export async function call<Body = Job>(url: string, init: RequestInit = {}): Promise<Answer<Body>> {
  const headers = new Headers({ Authorization: `Bearer ${server.token}` });
  for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
  const response = await fetch(url, {
    ...init,
    headers,
    redirect: 'manual',
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: (isJson ? JSON.parse(text) : undefined) as Body,
  };
}

export const notebooksUrl = `${server.baseUrl}/v1/notebooks/`;

export const post = <Body = Job>(
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<Body>> =>
  call<Body>(notebooksUrl, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

/** Submits as v1 clients do: 202 is the only answer that they take. */
export async function submit(body: unknown, headers?: Record<string, string>): Promise<Job> {
  const { status, text, json } = await post(body, headers);
  if (status !== 202) throw new Error(`POST answered ${status}: ${text}`);
  return json;
}

/** Reads as v1 clients do: 200 is the only answer that they take. */
export async function read(job: Job, query = ''): Promise<Job> {
  const { status, text, json } = await call(`${job.self_url}${query}`);
  if (status !== 200) throw new Error(`GET answered ${status}: ${text}`);
  return json;
}

/** Polls until the job is as wanted. @returns each answer on the way, the wanted one last */
export async function until(job: Job, wanted: (job: Job) => boolean): Promise<Job[]> {
  const deadline = performance.now() + SLACK_MS;
  const seen: Job[] = [];
  for (;;) {
    const now = await read(job);
    seen.push(now);
    if (wanted(now)) return seen;
    if (performance.now() > deadline) throw new Error(`${job.job_id} is still ${JSON.stringify(now)}`);
    await sleep(50);
  }
}

export async function complete(job: Job): Promise<Job> {
  return (await until(job, ({ status }) => status === 'complete')).at(-1) as Job;
}
