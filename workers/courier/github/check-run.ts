/** A check run on a commit (https://docs.github.com/en/rest/checks/runs): how GitHub shows what came of it. */
import { z } from 'zod';
import type { GithubApi } from './github-api.ts';

/** As GitHub has it. */
export interface Annotation {
  path: string;
  start_line: number;
  end_line: number;
  annotation_level: 'notice' | 'warning' | 'failure';
  title: string;
  message: string;
  raw_details?: string;
}

export type Conclusion = 'success' | 'failure' | 'neutral' | 'cancelled' | 'action_required' | 'timed_out';

export interface CheckOutput {
  conclusion: Conclusion;
  title: string;
  /** Markdown. */
  summary: string;
  annotations?: readonly Annotation[];
}

export interface CheckRunPlace {
  repository: string;
  commit: string;
  /** A token with `checks: write`, which lives for as long as is needed now. */
  token: () => Promise<string>;
  /** By which it is found again: a run of the same id is the same check run. */
  externalId: string;
  /** Where people see more. */
  detailsUrl: string;
}

/** The name that rules of branches require. */
export const CHECK_NAME = 'Noteburst';

/** GitHub's limits. */
const PAGE = 100;
const MAX_ANNOTATIONS = 50;
export const MAX_SUMMARY_BYTES = 65_535;
const MAX_TITLE_CHARS = 255;

const checkRun = z.object({
  id: z.number(),
  external_id: z.string().nullish(),
  output: z.object({ annotations_count: z.number() }).partial().nullish(),
});
const checkRuns = z.object({ total_count: z.number(), check_runs: z.array(checkRun) });
type Found = z.infer<typeof checkRun>;

export class CheckRun {
  readonly #api: GithubApi;
  readonly #place: CheckRunPlace;
  readonly #id: number;

  private constructor(api: GithubApi, place: CheckRunPlace, id: number) {
    this.#api = api;
    this.#place = place;
    this.#id = id;
  }

  /** Shows that it runs: a new check run, or that of an earlier attempt. */
  static async begin(api: GithubApi, place: CheckRunPlace, signal: AbortSignal): Promise<CheckRun> {
    const token = await place.token();
    const begun = { status: 'in_progress', details_url: place.detailsUrl };
    let earlier: Found | undefined;
    const look = async () => (earlier = await find(api, place, token, signal));
    const parameters = {
      ...named(place),
      name: CHECK_NAME,
      head_sha: place.commit,
      external_id: place.externalId,
      started_at: new Date().toISOString(),
      ...begun,
    };
    const route = 'POST /repos/{owner}/{repo}/check-runs';
    const { id } = checkRun.parse(await api.makeOnce(token, route, parameters, look, signal));
    if (earlier) {
      const update = 'PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}';
      await api.ask(token, update, { ...named(place), check_run_id: id, ...begun }, signal);
    }
    return new CheckRun(api, place, id);
  }

  /** Shows why nothing comes of it yet. */
  async postpone(title: string, summary: string, signal: AbortSignal): Promise<void> {
    const route = 'PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}';
    const parameters = { ...this.#named(), output: { title, summary } };
    await this.#api.ask(await this.#place.token(), route, parameters, signal);
  }

  /** Shows what came of it. GitHub takes some annotations at a time, and adds them to those that it has. */
  async complete(outcome: CheckOutput, signal: AbortSignal): Promise<void> {
    const { conclusion, title, summary, annotations = [] } = outcome;
    // What an attempt before this one has told is not told again.
    const told = annotations.length === 0 ? 0 : await this.#annotationsCount(signal);
    const rest = annotations.slice(told);
    for (let at = 0; at === 0 || at < rest.length; at += MAX_ANNOTATIONS) {
      const batch = rest.slice(at, at + MAX_ANNOTATIONS);
      const isLast = at + MAX_ANNOTATIONS >= rest.length;
      const output = { title: title.slice(0, MAX_TITLE_CHARS), summary, annotations: batch };
      const end = { status: 'completed', conclusion, completed_at: new Date().toISOString() };
      const parameters = { ...this.#named(), output, ...(isLast && end) };
      const route = 'PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}';
      await this.#api.ask(await this.#place.token(), route, parameters, signal);
    }
  }

  async #annotationsCount(signal: AbortSignal): Promise<number> {
    const route = 'GET /repos/{owner}/{repo}/check-runs/{check_run_id}';
    const token = await this.#place.token();
    const found = checkRun.parse(await this.#api.ask(token, route, this.#named(), signal));
    return found.output?.annotations_count ?? 0;
  }

  #named(): Record<string, unknown> {
    return { ...named(this.#place), check_run_id: this.#id };
  }
}

/** Among all that this app has on the commit: what is run again and again has many. */
async function find(
  api: GithubApi,
  place: CheckRunPlace,
  token: string,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const route = 'GET /repos/{owner}/{repo}/commits/{ref}/check-runs';
  const app = api.appId === undefined ? {} : { app_id: api.appId };
  const query = { ...named(place), ref: place.commit, check_name: CHECK_NAME, ...app };
  for (let page = 1, seen = 0; ; page++) {
    const answer = await api.ask(token, route, { ...query, filter: 'all', per_page: PAGE, page }, signal);
    const { total_count: total, check_runs: found } = checkRuns.parse(answer);
    const own = found.find(({ external_id: id }) => id === place.externalId);
    seen += found.length;
    if (own || found.length === 0 || seen >= total) return own;
  }
}

function named({ repository }: CheckRunPlace): { owner: string; repo: string } {
  const [owner = '', repo = ''] = repository.split('/');
  return { owner, repo };
}
