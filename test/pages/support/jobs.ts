import { Worker, type Job } from 'bullmq';
import { KEY_PREFIX, type NbexecOutcome } from '../../../lib/contract/nbexec-job.ts';
import type { LiveEvent } from '../../../lib/contract/live-event.ts';
import { jobEnded } from '../../../lib/contract/live-event.ts';
import { writeEvents } from '../../../lib/queue/live-events.ts';
import { workerRedis } from '../../../lib/queue/redis.ts';
import { identity } from '../../support/function-server.ts';
import type { Functions } from '../../support/functions-on.ts';

const TOKEN = 'attempt-1';

/** Plays the executor for the pages: jobs that are submitted run, tell and end as the test says. */
export class PlayedJobs {
  readonly #functions: Functions;
  readonly #worker: Worker;

  constructor(functions: Functions, redisUrl: string, stack: AsyncDisposableStack) {
    this.#functions = functions;
    const connection = workerRedis(redisUrl);
    stack.defer(() => connection.disconnect());
    this.#worker = new Worker(functions.queueName, null, { connection, prefix: KEY_PREFIX, autorun: false });
    stack.defer(() => this.#worker.close());
  }

  async submit(notebook: object, extra: object = {}): Promise<string> {
    const response = await fetch(`${this.#functions.submit.url}/noteburst/v1/notebooks/`, {
      method: 'POST',
      headers: { ...identity('alice'), 'Content-Type': 'application/json' },
      body: JSON.stringify({ ipynb: notebook, ...extra }),
    });
    if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`);
    return ((await response.json()) as { job_id: string }).job_id;
  }

  /** The next job in the queue, as its executor has it. */
  async take(): Promise<PlayedJob> {
    const job = (await this.#worker.getNextJob(TOKEN, { block: false })) as Job | undefined;
    if (!job) throw new Error('no job waits');
    return new PlayedJob(this.#functions, job);
  }

  /** A job that has run already. */
  async ended(notebook: object, outcome: Partial<NbexecOutcome> = {}, extra: object = {}): Promise<string> {
    const id = await this.submit(notebook, extra);
    await (await this.take()).end(notebook, outcome);
    return id;
  }
}

class PlayedJob {
  readonly id: string;
  readonly #functions: Functions;
  readonly #job: Job;

  constructor(functions: Functions, job: Job) {
    this.id = String(job.id);
    this.#functions = functions;
    this.#job = job;
  }

  async tell(...events: LiveEvent[]): Promise<void> {
    for (const event of events) {
      if (event.type !== 'cell_started') continue;
      const { cells_done, cells_total, cell_index: current_cell } = event;
      await this.#job.updateProgress({ cells_done, cells_total, current_cell });
    }
    await writeEvents(this.#functions.redis, this.id, events, 60);
  }

  async end(executed: object | undefined, outcome: Partial<NbexecOutcome> = {}): Promise<void> {
    if (executed) await this.#functions.store.putResult(this.id, TOKEN, JSON.stringify(executed), 60);
    const result = { ...(executed ? { result_id: TOKEN } : {}), ...outcome };
    await this.#job.moveToCompleted(result, TOKEN, false);
    await this.tell(jobEnded(outcome.error, outcome.ipynb_error?.name));
  }
}
