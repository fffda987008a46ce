import { NewerEpochError } from './errors.ts';
import type { Foreign, Lab } from './lab.ts';
import { highestEpoch } from './session-path.ts';

/**
 * Deletes what runs in the lab although we did not start it.
 *
 * @param epoch ours
 * @returns what was deleted
 * @throws NewerEpochError, before anything is deleted, when somebody with a higher epoch uses this lab
 */
export async function removeForeign(lab: Lab, epoch: number, signal: AbortSignal): Promise<Foreign> {
  const foreign = await lab.listForeign(signal);
  const newest = highestEpoch(foreign.sessions);
  if (newest > epoch) throw new NewerEpochError(newest, epoch);
  for (const { sessionId } of foreign.sessions) await lab.deleteSession(sessionId, signal);
  for (const kernelId of foreign.kernelIds) await lab.deleteKernel(kernelId, signal);
  return foreign;
}

/**
 * The same while jobs run, at the price of one call to the lab, which does not count as activity: only when the lab has
 * another number of kernels than we know of is it looked at closer.
 *
 * @throws NewerEpochError; LabUnusableError when the lab is gone, or another
 */
export async function reconcile(lab: Lab, epoch: number, signal: AbortSignal): Promise<Foreign> {
  const { kernels } = await lab.verify(signal);
  return kernels === lab.kernelCount ? { sessions: [], kernelIds: [] } : removeForeign(lab, epoch, signal);
}
