import { FAILING, isAskedWrongly, type CaseResult, type SuiteReport } from '../suite/report.ts';
import { suiteVerdict, type SuiteVerdict } from '../suite/reports/words.ts';
import { counted } from './annotations.ts';

/** What the step says of the suite. */
export interface Outcome {
  verdict: SuiteVerdict;
  passed: number;
  failed: number;
  /** Why the step fails, where it does. */
  problem: string | undefined;
}

export function outcomeOf(report: SuiteReport, isCancelled: boolean): Outcome {
  const { results } = report;
  const count = (has: (result: CaseResult) => boolean) => results.filter(has).length;
  const passed = count(({ verdict }) => verdict === 'passed' || verdict === 'expected_failure');
  const failed = count(({ verdict }) => FAILING.has(verdict));
  const wrong = count(isAskedWrongly);
  const inTrouble = count(({ verdict }) => verdict === 'error') - wrong;
  const rest = count(({ verdict }) => verdict === 'cancelled' || verdict === 'skipped');
  const problems = [
    ...(failed > 0 ? [`${failed} of ${counted(results.length)} failed`] : []),
    ...(wrong > 0 ? [`${counted(wrong)} could not be run with these options`] : []),
    ...(inTrouble > 0 ? [`${counted(inTrouble)} could not be run for trouble with the service`] : []),
    ...(rest > 0 ? [`${rest} ${isCancelled ? 'cancelled' : 'not run to the end'}`] : []),
  ];
  return {
    verdict: suiteVerdict(report),
    passed,
    failed,
    problem: problems.join('; ') || undefined,
  };
}
