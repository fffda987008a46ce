import type { LabCommand } from '../support/fake-lab.ts';

const epochOf = ({ path }: LabCommand): number | undefined => {
  const epoch = /^noteburst\/(\d+)\//.exec(path ?? '')?.[1];
  return epoch === undefined ? undefined : Number(epoch);
};

/**
 * What the labs' own record says against I3 and I4: in a lab that was used under one epoch nothing may have an effect
 * under another; a bot's epochs only rise; nothing has an effect with a token of an epoch that was followed by another.
 *
 * @param commands all that had an effect, in order
 * @returns violations, in words
 */
export function sharedLabs(commands: readonly LabCommand[]): string[] {
  const found: string[] = [];
  const epochOfToken = new Map<string, number>();
  for (const command of commands) {
    const epoch = epochOf(command);
    // Whoever deletes a foreign session does so under an epoch of its own.
    if (epoch !== undefined && command.action === 'start-session') epochOfToken.set(command.caller, epoch);
  }
  const ofLab = new Map<string, number>();
  const ofBot = new Map<string, number>();
  for (const { username, lab, caller, action, path } of commands) {
    const epoch = epochOfToken.get(caller);
    if (epoch === undefined) continue;
    const what = `${action}${path === undefined ? '' : ` ${path}`} under epoch ${epoch}`;
    const highest = ofBot.get(username) ?? 0;
    if (epoch < highest) found.push(`${username}: ${what}, after epoch ${highest}`);
    ofBot.set(username, Math.max(epoch, highest));
    // The one that follows may stop what the one before has left.
    if (lab === undefined || action === 'stop') continue;
    const known = ofLab.get(lab) ?? epoch;
    ofLab.set(lab, known);
    if (known !== epoch) found.push(`${username}: ${what} in a lab of epoch ${known}`);
  }
  return found;
}
