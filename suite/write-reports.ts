import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import type { SuiteReport } from './report.ts';

/** Where which report goes. */
export interface ReportFiles {
  html?: string | undefined;
  junit?: string | undefined;
  markdown?: string | undefined;
  json?: string | undefined;
  previous?: string | undefined;
}

const json = (report: SuiteReport) => `${JSON.stringify(report, undefined, 2)}\n`;

export async function writeReports(report: SuiteReport, args: ReportFiles): Promise<void> {
  if (args.json !== undefined) await write(args.json, report, json);
}

/** Paths in a report are relative to where it lies, so that both can be moved together. */
async function write(
  file: string,
  report: SuiteReport,
  form: (report: SuiteReport) => string,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const results = report.results.map((result) =>
    result.executed === undefined
      ? result
      : { ...result, executed: relative(dirname(file), result.executed) },
  );
  await writeFile(file, form({ ...report, results }));
}
