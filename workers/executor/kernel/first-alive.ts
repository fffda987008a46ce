import { setTimeout as sleep } from 'node:timers/promises';

/** A kernel that lives answers within milliseconds; when one does not, the others are asked as well. */
const PROMPT_MS = 100;

export interface FirstAliveParts<K> {
  first: K;
  /** Called once, and only when the first one does not answer promptly. */
  others: () => K[];
  /** Never rejects. */
  isAlive: (kernel: K) => Promise<boolean>;
  /** Given each one that lives as well, also after the first was found. */
  spare: (kernel: K) => void;
}

/**
 * Asks one kernel whether it lives, as that costs the lab little. Labs cull idle kernels together, though, so that the
 * others are then asked all at once: what a dead one's timeout costs is paid once.
 *
 * @returns the first that answered; undefined when none did
 */
export async function firstAlive<K>({
  first,
  others,
  isAlive,
  spare,
}: FirstAliveParts<K>): Promise<K | undefined> {
  const found = Promise.withResolvers<K>();
  let isFound = false;
  const probe = async (kernel: K): Promise<void> => {
    if (!(await isAlive(kernel))) return;
    if (isFound) return spare(kernel);
    isFound = true;
    found.resolve(kernel);
  };
  const asked = [probe(first)];
  await Promise.race([asked[0], sleep(PROMPT_MS, undefined, { ref: false })]);
  if (!isFound) asked.push(...others().map(probe));
  return Promise.race([found.promise, Promise.all(asked).then(() => (isFound ? found.promise : undefined))]);
}
