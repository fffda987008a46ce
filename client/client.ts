/** A client of the service, for callers in TypeScript: typed from the schemas that the service validates with. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { z } from 'zod';
import { liveEvent, type LiveEvent } from '../lib/contract/live-event.ts';
import {
  notebookListResponse,
  notebookResponse,
  type NotebookListResponse,
  type NotebookResponse,
  type postNotebookRequest,
} from '../lib/contract/notebooks-api.ts';
import { NoteburstError, RefusedError } from './client-error.ts';
import { Requests, type Answer, type Call, type ServiceAddress } from './requests.ts';

/** The body of a submission, as `POST /v1/notebooks/` takes it. */
export type Submission = z.input<ReturnType<typeof postNotebookRequest>>;

/** The longest the service waits (contract: proxies in front cut at 50 s). */
const WAIT_SECONDS = 25;
/** Before a stream is opened anew: one that ends at once would be asked for without a pause. */
const AGAIN_MS = 250;
const NOTEBOOKS = '/v1/notebooks';

export class NoteburstClient {
  readonly #requests: Requests;

  constructor(address: ServiceAddress) {
    this.#requests = new Requests(address);
  }

  /**
   * Submits a notebook, once: what is lost on the way is sent again under the same idempotency key.
   *
   * @param idempotencyKey one of the caller's own, when the submission may be repeated by another process
   */
  async submit(
    submission: Submission,
    { idempotencyKey = crypto.randomUUID(), signal }: { idempotencyKey?: string; signal?: AbortSignal } = {},
  ): Promise<NotebookResponse> {
    const headers = { 'Idempotency-Key': idempotencyKey };
    const body = JSON.stringify(submission);
    return this.#json(`${NOTEBOOKS}/`, notebookResponse, { method: 'POST', headers, body, signal });
  }

  /** The job as it is now. @param result whether with what came of it, once it has ended */
  get(jobId: string, signal?: AbortSignal, { result = true } = {}): Promise<NotebookResponse> {
    return this.#json(jobPath(jobId, result), notebookResponse, { signal });
  }

  /**
   * Waits for the job's end, by the service's `Prefer: wait`; a service without that is asked again now and then.
   *
   * @param result as of {@link get}
   */
  async wait(
    jobId: string,
    { signal, result = true }: { signal?: AbortSignal; result?: boolean } = {},
  ): Promise<NotebookResponse> {
    let etag: string | undefined;
    for (;;) {
      const answer = await this.#requests.send(jobPath(jobId, result), {
        waitSeconds: WAIT_SECONDS,
        ...(etag === undefined ? {} : { headers: { 'If-None-Match': etag } }),
        signal,
      });
      etag = answer.headers.get('ETag') ?? undefined;
      if (answer.status !== 304) {
        const job = parsed(answer, notebookResponse);
        if (job.status === 'complete') return job;
      }
      if (answer.headers.has('Preference-Applied')) continue;
      const seconds = Number(answer.headers.get('Retry-After') ?? 1);
      await sleep(Math.min(Math.max(seconds, 1), 10) * 1_000, undefined, { signal });
    }
  }

  /**
   * What happens to the job until its end, as it happens: from its beginning, or behind an event that was seen. A connection
   * that is cut is opened again where it was.
   */
  async *events(jobId: string, signal?: AbortSignal): AsyncGenerator<LiveEvent> {
    let lastId: string | undefined;
    for (;;) {
      const response = await this.#requests.stream(`${pathOf(jobId)}/events`, {
        headers: {
          Accept: 'text/event-stream',
          ...(lastId === undefined ? {} : { 'Last-Event-ID': lastId }),
        },
        signal,
      });
      // 204: all of them have been told.
      if (response.status === 204 || response.body === null) return;
      const stream = response.body
        .pipeThrough(new TextDecoderStream())
        .pipeThrough(new EventSourceParserStream());
      try {
        for await (const { id, event: type, data } of stream) {
          if (id !== undefined) lastId = id;
          // One that is not known is of a newer service.
          const { data: event } = liveEvent.safeParse({ type, ...(JSON.parse(data) as object) });
          if (event) yield event;
          if (event?.type === 'job_ended') return;
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof TypeError)) throw error; // fetch's word for a connection that was cut
      }
      await sleep(AGAIN_MS, undefined, { signal });
    }
  }

  /** Asks for the job's end; one that runs is told so within a second. */
  cancel(jobId: string, signal?: AbortSignal): Promise<NotebookResponse> {
    return this.#json(pathOf(jobId), notebookResponse, { method: 'DELETE', signal });
  }

  /** The executed notebook, as the text of an `.ipynb` file; undefined when there is none. */
  async download(jobId: string, signal?: AbortSignal): Promise<string | undefined> {
    try {
      const headers = { Accept: 'application/x-ipynb+json' };
      return (await this.#requests.send(`${pathOf(jobId)}/ipynb`, { headers, signal })).text;
    } catch (error) {
      if (error instanceof RefusedError && error.type === 'no_notebook') return undefined;
      throw error;
    }
  }

  /** The caller's newest jobs; `cursor` is the `next_cursor` of the page before. */
  list(page: { limit?: number; cursor?: string } = {}, signal?: AbortSignal): Promise<NotebookListResponse> {
    const query = new URLSearchParams();
    if (page.limit !== undefined) query.set('limit', `${page.limit}`);
    if (page.cursor !== undefined) query.set('cursor', page.cursor);
    return this.#json(`${NOTEBOOKS}/?${query}`, notebookListResponse, { signal });
  }

  /** Where a person sees the job. */
  pageOf(jobId: string): string {
    return this.#requests.url(pathOf(jobId));
  }

  async #json<T>(path: string, schema: z.ZodType<T>, call: Call): Promise<T> {
    return parsed(await this.#requests.send(path, call), schema);
  }
}

const pathOf = (jobId: string) => `${NOTEBOOKS}/${encodeURIComponent(jobId)}`;

/** `result` is true when it is not said. */
const jobPath = (jobId: string, result: boolean) => `${pathOf(jobId)}${result ? '' : '?result=false'}`;

function parsed<T>({ url, text }: Answer, schema: z.ZodType<T>): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new NoteburstError(`${url} did not answer with JSON: is it the address of a Noteburst?`);
  }
  const { success, data, error } = schema.safeParse(json);
  if (success) return data;
  const [issue] = error.issues;
  const problem = `${issue?.path.join('.')}: ${issue?.message}`;
  throw new NoteburstError(`${url} did not answer as Noteburst does: ${problem}`);
}
