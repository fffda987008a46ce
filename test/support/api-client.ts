import { identity, type TOKENS } from './function-server.ts';
import type { Functions } from './functions-on.ts';
import { codeCell, ipynb } from './notebooks.ts';

export type User = keyof typeof TOKENS;

export interface ApiAnswer {
  status: number;
  headers: Headers;
  /** Of a job, a list of jobs, or an error. */
  json: Record<string, unknown> & {
    job_id: string;
    jobs: (Record<string, unknown> & { job_id: string })[];
    detail?: { type: string; msg: string; loc?: unknown[] }[];
  };
}

/** A notebook that prints a text. */
export const printing = (text: string): string => ipynb({ cells: [codeCell(`print('${text}')`)] });

/** Calls both functions as a user does. */
export class ApiClient {
  readonly #functions: Functions;
  readonly #user: User;

  constructor(functions: Functions, user: User = 'alice') {
    this.#functions = functions;
    this.#user = user;
  }

  submit(body: object = {}, headers: Record<string, string> = {}): Promise<ApiAnswer> {
    return this.#call(this.#functions.submit.url, '', {
      method: 'POST',
      body: JSON.stringify({ ipynb: ipynb(), ...body }),
      headers: { 'Content-Type': 'application/json', ...headers },
    });
  }

  /** @param query with its question mark */
  list(query = ''): Promise<ApiAnswer> {
    return this.#call(this.#functions.submit.url, query);
  }

  cancel(jobId: string): Promise<ApiAnswer> {
    return this.#call(this.#functions.status.url, jobId, { method: 'DELETE' });
  }

  async #call(server: string, below: string, init: RequestInit = {}): Promise<ApiAnswer> {
    const headers = { ...identity(this.#user), ...(init.headers as Record<string, string>) };
    const response = await fetch(`${server}/noteburst/v1/notebooks/${below}`, { ...init, headers });
    const { status, headers: answered } = response;
    return { status, headers: answered, json: (await response.json()) as ApiAnswer['json'] };
  }
}
