import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WorkerBench } from '../support/executor.ts';
import { functionsOn, type Functions } from '../support/functions-on.ts';
import { identity } from '../support/function-server.ts';
import { ipynb } from '../support/notebooks.ts';
import { redisOfFile } from '../support/redis.ts';

const BURST = 1_000;
const CLIENTS = 50;

const file = await redisOfFile();
let stack: AsyncDisposableStack;
let bench: WorkerBench;

beforeEach(() => {
  stack = new AsyncDisposableStack();
  bench = stack.use(new WorkerBench(file));
});
afterEach(() => stack.disposeAsync());

interface Answer {
  status: number;
  retryAfter: string | null;
  jobId: string | undefined;
}

/** As many submissions as a burst has, each client's one after the other. */
async function burst(functions: Functions): Promise<Answer[]> {
  const answers: Answer[] = [];
  const client = async (user: 'alice' | 'bob') => {
    for (let n = 0; n < BURST / CLIENTS; n++) {
      const response = await fetch(`${functions.submit.url}/noteburst/v1/notebooks/`, {
        method: 'POST',
        headers: { ...identity(user), 'Content-Type': 'application/json' },
        body: JSON.stringify({ ipynb: ipynb() }),
      });
      const { job_id: jobId } = (await response.json()) as { job_id?: string };
      answers.push({ status: response.status, retryAfter: response.headers.get('retry-after'), jobId });
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, n) => client(n % 2 ? 'alice' : 'bob')));
  return answers;
}

test('of 1,000 notebooks from 50 clients each is accepted and ends once', { timeout: 60_000 }, async () => {
  const functions = await functionsOn(file.url, bench.queueName, stack, BURST);
  const runs = new Map<string, number>();
  for (let n = 0; n < 2; n++) {
    await bench.worker({
      concurrency: 20,
      // All runs share a processor with what they are submitted with.
      lockMs: 30_000,
      run: async ({ id }) => {
        runs.set(id, (runs.get(id) ?? 0) + 1);
        return {};
      },
    });
  }
  const answers = await burst(functions);
  expect(answers.filter(({ status }) => status !== 202)).toEqual([]);
  const accepted = new Set(answers.map(({ jobId }) => jobId));
  expect(accepted.size).toBe(BURST);
  const ended = () => file.redis.zcard(bench.key('completed'));
  await vi.waitUntil(async () => (await ended()) >= BURST, { timeout: 30_000, interval: 50 });
  expect(await ended()).toBe(BURST);
  expect(new Set(await file.redis.zrange(bench.key('completed'), '0', '-1'))).toEqual(accepted);
  expect(runs.size).toBe(BURST);
  expect([...runs.values()].filter((count) => count !== 1)).toEqual([]);
});

test(
  'with a cap, what is beyond it is answered with 429 and when to try again',
  { timeout: 60_000 },
  async () => {
    const functions = await functionsOn(file.url, bench.queueName, stack, 100);
    const answers = await burst(functions);
    const of = (status: number) => answers.filter((answer) => answer.status === status);
    // A hundred for each of the two callers.
    expect([of(202).length, of(429).length]).toEqual([200, BURST - 200]);
    expect(of(429).filter(({ retryAfter }) => !(Number(retryAfter) >= 1))).toEqual([]);
    expect(await file.redis.zcard(bench.key('prioritized'))).toBe(200);
  },
);
