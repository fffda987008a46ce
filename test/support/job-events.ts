import { expect } from 'vitest';
import type { Stack } from './stack.ts';

/** One event of a job as its caller gets it. */
export interface JobEvent {
  id?: string;
  type: string;
  data: Record<string, unknown>;
}

/** Reads a job's events as they come, until the server ends the stream or the test stops reading. */
export async function* jobEvents(
  stack: Stack,
  jobId: string,
  lastEventId?: string,
): AsyncGenerator<JobEvent> {
  const headers = {
    Accept: 'text/event-stream',
    ...(lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }),
  };
  const response = await stack.fetch('status', `/v1/notebooks/${jobId}/events`, { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => line.split(/: ?(.*)/s, 2) as [string, string]));
      const type = fields.get('event');
      if (type === undefined) continue;
      const id = fields.get('id');
      yield { ...(id && { id }), type, data: JSON.parse(fields.get('data') ?? '') as JobEvent['data'] };
    }
  }
}

/** Waits until a job has printed something like this. @returns the match */
export async function printed(stack: Stack, jobId: string, pattern: RegExp): Promise<RegExpExecArray> {
  let text = '';
  for await (const { data } of jobEvents(stack, jobId)) {
    text += (data['output'] as { text?: string } | undefined)?.text ?? '';
    const match = pattern.exec(text);
    if (match) return match;
  }
  throw new Error(`the job ended without printing ${pattern}: ${text.slice(-500)}`);
}
