/** How long something took, in words: 340 ms, 1.2 s, 2 min 5 s, 1 h 3 min. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${Number((ms / 1_000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1_000);
  const [large, small] = seconds < 3_600 ? [60, 1] : [3_600, 60];
  const rest = Math.floor((seconds % large) / small);
  const [of, ofRest] = seconds < 3_600 ? ['min', 's'] : ['h', 'min'];
  return `${Math.floor(seconds / large)} ${of}${rest > 0 ? ` ${rest} ${ofRest}` : ''}`;
}

/** An instant of the wire for readers, in UTC: 2026-11-21 10:15:02. */
export const instantText = (instant: string): string => instant.slice(0, 19).replace('T', ' ');
