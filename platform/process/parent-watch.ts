/**
 * Calls back once when this process's parent has died (a killed npm sends no signal to what it started).
 *
 * @returns stops watching
 */
export function onParentDeath(callback: () => void, everyMs = 500): () => void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    callback();
  }, everyMs).unref();
  return () => clearInterval(timer);
}
