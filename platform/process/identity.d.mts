export function startTimeOf(pid: number): string | undefined;
export function isAlive(pid: number, startTime: string | undefined): boolean;
export function onParentDeath(callback: () => void, everyMs?: number): () => void;
export function npmHasDied(): boolean;
