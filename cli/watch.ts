import { EventEmitter, once } from 'node:events';
import { watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SuiteCase } from '../suite/plan.ts';

/** Editors write a file in several steps. */
const SETTLE_MS = 200;

/** The cases whose files have changed, together, each time that some have; ends with the signal. */
export async function* onChange(
  cases: readonly SuiteCase[],
  signal: AbortSignal,
): AsyncGenerator<SuiteCase[]> {
  const files = new Set(cases.map(({ file }) => file));
  const changed = new Set<string>();
  const events = new EventEmitter();
  // Folders, for editors put a new file in the place of the old one.
  const watchers = [...new Set([...files].map((file) => dirname(file)))].map((dir) =>
    watch(dir, { signal }, (_event, name) => {
      const file = join(dir, name ?? '');
      if (!files.has(file)) return;
      changed.add(file);
      events.emit('change');
    }),
  );
  try {
    for (;;) {
      console.log('Waiting for changes; Ctrl-C ends.');
      if (changed.size === 0) await once(events, 'change', { signal });
      await sleep(SETTLE_MS, undefined, { signal });
      const now = new Set(changed);
      changed.clear();
      yield cases.filter(({ file }) => now.has(file));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    for (const watcher of watchers) watcher.close();
  }
}
