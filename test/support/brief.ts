/** The beginning of a value, for the name of a test. */
export function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Rows for `test.each`, each with a brief form of its first value in front: `%s` in the name takes that. */
export function briefly<Row extends [unknown, ...unknown[]]>(rows: Row[]): [string, ...Row][] {
  return rows.map((row) => [brief(row[0]), ...row]);
}
