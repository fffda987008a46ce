/**
 * Reads Retry-After, which is seconds or a date (RFC 9110, section 10.2.3).
 *
 * @returns milliseconds from now, never negative; undefined if absent or unreadable
 */
export function retryAfterMs(value: string | undefined, now: number = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
