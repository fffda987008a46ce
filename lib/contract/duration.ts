const UNIT_SECONDS = { w: 604_800, d: 86_400, h: 3_600, m: 60, s: 1 } as const;

const HUMAN = new RegExp(
  '^(?:(?<w>\\d+)\\s*(?:weeks|week|w))?\\s*(?:(?<d>\\d+)\\s*(?:days|day|d))?\\s*' +
    '(?:(?<h>\\d+)\\s*(?:hours|hour|hrs|hr|h))?\\s*(?:(?<m>\\d+)\\s*(?:minutes|minute|mins|min|m))?\\s*' +
    '(?:(?<s>\\d+(?:\\.\\d+)?)\\s*(?:seconds|second|secs|sec|s))?$',
);
const ISO_8601 = new RegExp(
  '^P(?:(?<w>\\d+(?:\\.\\d+)?)W)?(?:(?<d>\\d+(?:\\.\\d+)?)D)?' +
    '(?:T(?:(?<h>\\d+(?:\\.\\d+)?)H)?(?:(?<m>\\d+(?:\\.\\d+)?)M)?(?:(?<s>\\d+(?:\\.\\d+)?)S)?)?$',
);
const CLOCK = /^(?:(?<d>\d+)(?:\s*days?,?)?\s+)?(?<h>\d+):(?<m>[0-5]\d)(?::(?<s>[0-5]\d(?:\.\d+)?))?$/;

// The forms leave room for spaces in many places: a long text that fits none of them would be tried for hours.
const MAX_CHARS = 64;

/**
 * Reads a duration as Noteburst v1 does: "90" (seconds), "5m", "1h 30m", "1 day", "PT5M" (ISO 8601) or "0:05:00".
 *
 * @returns seconds, or undefined when the text is none of these
 */
export function parseDurationSeconds(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed.length > MAX_CHARS) return undefined;
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) return Number(trimmed);
  const groups = [HUMAN, ISO_8601, CLOCK].map((form) => form.exec(trimmed)?.groups).find(hasAnyPart);
  if (!groups) return undefined;
  let seconds = 0;
  for (const [unit, factor] of Object.entries(UNIT_SECONDS)) seconds += Number(groups[unit] ?? 0) * factor;
  return seconds;
}

function hasAnyPart(groups: Record<string, string> | undefined): boolean {
  return groups !== undefined && Object.values(groups).some((part) => part !== undefined);
}
