/** Writes what came of a suite into files. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import type { Comparison } from './compare.ts';
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

/**
 * Makes the folders that reports go to, so that what cannot be written is known before anything is run.
 *
 * @throws {SuiteError}
 */
export async function prepareReports(files: ReportFiles): Promise<void> {
  const all = kindsIn(files).map(([, file]) => file);
  const twice = all.find((file, n) => all.findIndex((other) => resolve(other) === resolve(file)) !== n);
  if (twice !== undefined) throw new SuiteError(`${twice}: two reports would go there`);
  for (const file of all) {
    await mkdir(dirname(file), { recursive: true }).catch((error: unknown) => {
      throw new SuiteError(`${file}: cannot be written: ${(error as Error).message}`);
    });
  }
}

const kindsIn = (files: ReportFiles): [keyof ReportFiles, string][] =>
  (Object.keys(FORMS) as (keyof ReportFiles)[]).flatMap((kind) => {
    const file = files[kind];
    return file === undefined ? [] : [[kind, file] as [keyof ReportFiles, string]];
  });

/**
 * Writes them all, even when one of them cannot be. Paths in a report are relative to where it lies, so that both can be moved
 * together.
 *
 * @throws {SuiteError} for those that could not be written
 */
export async function writeReports(
  report: SuiteReport,
  files: ReportFiles,
  comparison?: Comparison,
): Promise<void> {
  const problems: string[] = [];
  for (const [kind, file] of kindsIn(files)) {
    const results = report.results.map((result) =>
      result.executed === undefined
        ? result
        : { ...result, executed: relative(dirname(file), result.executed) },
    );
    try {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, FORMS[kind]({ ...report, results }, comparison));
    } catch (error) {
      problems.push(`${file}: cannot be written: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0) throw new SuiteError(problems.join('\n'));
}

/**
 * The report of an earlier run; undefined when there is none yet.
 *
 * @param file its JSON
 * @throws {SuiteError} when it is something else
 */
export async function readPrevious(file: string): Promise<SuiteReport | undefined> {
  try {
    return suiteReport.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SuiteError(`${file}: is no report of an earlier run (--json)`);
  }
}
