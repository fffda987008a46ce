import { setTimeout as sleep } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { z } from 'zod';
import { JupyterError, JupyterResponseError } from './errors.ts';

const progressSchema = z.object({
  progress: z.number().catch(0),
  message: z.string().catch(''),
  ready: z.boolean().catch(false),
  failed: z.boolean().catch(false),
});

/** One step of a spawn. `progress` is a percentage by the spawner's own reckoning. */
export type SpawnProgress = z.infer<typeof progressSchema>;

/** What the hub's user model says of the lab; "none" after a failure too. */
export type LabState = 'ready' | 'pending' | 'none';

export interface ProgressSource {
  /** opens the hub's event stream of the spawn */
  open(): Promise<AsyncIterable<Uint8Array>>;
  /** asks the hub how things stand */
  state(): Promise<LabState>;
}

/**
 * Follows a spawn to its end: the last item is `ready` or `failed`.
 *
 * The stream may break at any time (proxies cut long answers; the hub says 400 once the spawn is over); the user model
 * then decides, and the stream is opened again while the spawn goes on. After a break the hub repeats all earlier
 * messages; those are left out here.
 */
export async function* followSpawn(
  source: ProgressSource,
  signal: AbortSignal,
): AsyncGenerator<SpawnProgress> {
  const seen = new Set<string>();
  let silentTries = 0;
  while (true) {
    for await (const step of readOnce(source, signal)) {
      const key = JSON.stringify(step);
      if (seen.has(key)) continue;
      seen.add(key);
      yield step;
      if (step.ready || step.failed) return;
    }
    const state = await source.state();
    if (state === 'ready') {
      yield { progress: 100, message: 'Server ready', ready: true, failed: false };
      return;
    }
    // The hub keeps the reason of a failure for the next reader of the stream, so ask for it once more.
    silentTries = state === 'none' ? silentTries + 1 : 0;
    if (silentTries > 1) {
      yield { progress: 100, message: 'The hub has no such lab any more', ready: false, failed: true };
      return;
    }
    await sleep(250, undefined, { signal });
  }
}

/** Reads one stream for as long as it lasts. How it ends does not matter: the user model is asked afterwards. */
async function* readOnce(source: ProgressSource, signal: AbortSignal): AsyncGenerator<SpawnProgress> {
  const steps: SpawnProgress[] = [];
  const parser = createParser({
    onEvent: ({ data }) => steps.push(...parseEvent(data)),
    maxBufferSize: 1 << 20,
  });
  const decoder = new TextDecoder();
  try {
    for await (const chunk of await source.open()) {
      parser.feed(decoder.decode(chunk, { stream: true }));
      yield* steps.splice(0);
    }
  } catch (error) {
    signal.throwIfAborted();
    const refused = error instanceof JupyterResponseError && error.unauthorized;
    if (refused || !(error instanceof JupyterError || isStreamBreak(error))) throw error;
  }
}

/** One step, or none: progress is news for people, so an event we cannot read is left out. */
function parseEvent(data: string): SpawnProgress[] {
  try {
    return [progressSchema.parse(JSON.parse(data))];
  } catch {
    return [];
  }
}

/** the errors of undici and of sockets for a body that was cut off or fell silent */
function isStreamBreak(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(UND_ERR_|E[A-Z]+$)/.test(String(error.code));
}
