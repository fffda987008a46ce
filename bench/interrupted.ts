const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort(new Error(name)));

/** Aborted by Ctrl-C: a bench then ends what it has started, and itself. */
export const interrupted: AbortSignal = stop.signal;
