/** Waits for all of them to end, whatever becomes of any, and throws the first failure only then. */
export async function allEnded(work: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

/** What to tell a person about an error. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
