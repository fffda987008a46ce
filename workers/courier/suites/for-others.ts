import type { CaseResult } from '../../../suite/report.ts';
import type { KeptNotebooks } from './kept-notebooks.ts';

/**
 * Results as those see them who may see the report: jobs are the service user's alone, executed notebooks are beside the report,
 * and how the courier reaches the service is nobody's business.
 *
 * @param folder where executed notebooks are, from the report's folder
 */
export function forOthers(results: readonly CaseResult[], kept: KeptNotebooks, folder: string): CaseResult[] {
  return results.map((own) => {
    const { job_url: _, ...result } = own;
    const { failure } = result;
    if (failure?.reason !== 'unreachable') return kept.told(result, folder);
    const message = 'The service could not be reached; its operators find why in the log';
    return { ...result, failure: { ...failure, message } };
  });
}
