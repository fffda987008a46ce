export function lockHolder(path: string): { pid: number; start?: string } | undefined;
export function tryLock(path: string): (() => void) | undefined;
export function waitForLock(
  path: string,
  options?: { signal?: AbortSignal; onWait?: (pid: number) => void },
): Promise<() => void>;
