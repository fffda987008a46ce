/**
 * Sessions are named `noteburst/<epoch>/<rest>`, where the rest is random for a kernel that waits for a job, and
 * `<job id>/<attempt>` for one that runs one: a listing of the lab tells whose its kernels are, and from when.
 */
export const sessionPathPrefix = (epoch: number): string => `noteburst/${epoch}/`;

/** The highest epoch among sessions' paths; 0 when none of them carries one. */
export function highestEpoch(sessions: readonly { path: string }[]): number {
  const epochs = sessions.map(({ path }) => Number(/^noteburst\/(\d{1,15})\//.exec(path)?.[1] ?? 0));
  return Math.max(0, ...epochs);
}
