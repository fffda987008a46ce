/** Writes what came of a suite into files. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { compareReports, type Comparison } from './compare.ts';
import { suiteReport, type SuiteReport } from './report.ts';
import { htmlReport } from './reports/html/html-report.ts';
import { junitXml } from './reports/junit.ts';
import { markdownSummary } from './reports/markdown.ts';
import { SuiteError } from './suite-file.ts';

/** Where which report goes. */
export interface ReportFiles {
  html?: string | undefined;
  junit?: string | undefined;
  markdown?: string | undefined;
  json?: string | undefined;
}

type Form = (report: SuiteReport, comparison?: Comparison) => string;

const FORMS: Record<keyof ReportFiles, Form> = {
  html: htmlReport,
  junit: junitXml,
  markdown: markdownSummary,
  json: (report) => `${JSON.stringify(report, undefined, 2)}\n`,
};

/** Paths in a report are relative to where it lies, so that both can be moved together. */
export async function writeReports(
  report: SuiteReport,
  files: ReportFiles,
  comparison?: Comparison,
): Promise<void> {
  for (const [kind, form] of Object.entries(FORMS) as [keyof ReportFiles, Form][]) {
    const file = files[kind];
    if (file === undefined) continue;
    await mkdir(dirname(file), { recursive: true });
    const results = report.results.map((result) =>
      result.executed === undefined
        ? result
        : { ...result, executed: relative(dirname(file), result.executed) },
    );
    await writeFile(file, form({ ...report, results }, comparison));
  }
}

/**
 * What has changed since an earlier run.
 *
 * @param file its report in JSON; when there is none yet, there is nothing to compare with
 * @throws {SuiteError} when it is something else
 */
export async function compareWith(report: SuiteReport, file: string): Promise<Comparison | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return compareReports(report, suiteReport.parse(JSON.parse(text)));
  } catch {
    throw new SuiteError(`${file}: is no report of an earlier run (--json)`);
  }
}
