import type { Annotation } from '../../../workers/courier/github/check-run.ts';
import { NOT_FOUND, refusal, type Call, type Reply } from './call.ts';
import { example } from './published.ts';

/** One that was made, with all that was told of it. */
export interface ShownCheckRun {
  id: number;
  name: string;
  head_sha: string;
  external_id: string;
  status: string;
  conclusion?: string | null;
  details_url: string;
  started_at: string;
  completed_at?: string | null;
  output: { title?: string; summary?: string; annotations_count: number; annotations: Annotation[] };
}

/** GitHub's own, of which the schema has words only. */
const MAX_TITLE_CHARS = 255;
const MAX_TEXT_BYTES = 64 * 1024;

/** The check runs of one app in one repository. */
export class FakeCheckRuns {
  readonly all: ShownCheckRun[] = [];
  readonly #appId: number;

  constructor(appId: number) {
    this.#appId = appId;
  }

  create({ body, apiUrl, path }: Call): Reply {
    const problem = problemOf(body);
    if (problem !== undefined) return refusal(422, `Invalid request.\n\n${problem}`);
    const made = {
      id: this.all.length + 1,
      status: 'queued',
      started_at: new Date().toISOString(),
      external_id: '',
      details_url: '',
      output: { annotations_count: 0, annotations: [] },
    };
    const run = { ...made, name: '', head_sha: '' } satisfies ShownCheckRun;
    this.all.push(run);
    update(run, body);
    return { status: 201, json: this.#shown(run, `${apiUrl}${path}/${run.id}`) };
  }

  get({ parameters, apiUrl, path }: Call): Reply {
    const run = this.#find(parameters);
    return run ? { status: 200, json: this.#shown(run, apiUrl + path) } : NOT_FOUND;
  }

  update({ parameters, body, apiUrl, path }: Call): Reply {
    const run = this.#find(parameters);
    if (!run) return NOT_FOUND;
    const problem = problemOf(body);
    if (problem !== undefined) return refusal(422, `Invalid request.\n\n${problem}`);
    update(run, body);
    return { status: 200, json: this.#shown(run, apiUrl + path) };
  }

  /** Newest first; of several of one name the newest, unless all are asked for. */
  list({ parameters, query, apiUrl, path }: Call, sha: string | undefined): Reply {
    if (sha === undefined) return refusal(422, `No commit found for SHA: ${parameters['ref']}`);
    const { check_name: name, app_id: app = this.#appId, status, filter = 'latest' } = query;
    const ofCommit = this.all.filter(({ head_sha }) => head_sha === sha).toReversed();
    const isAsked = (run: ShownCheckRun) =>
      run.name === (name ?? run.name) &&
      run.status === (status ?? run.status) &&
      Number(app) === this.#appId &&
      (filter === 'all' || ofCommit.find((each) => each.name === run.name) === run);
    const found = ofCommit.filter(isAsked);
    const perPage = Math.min(Number(query['per_page'] ?? 30), 100);
    const page = Number(query['page'] ?? 1);
    const last = Math.max(1, Math.ceil(found.length / perPage));
    const shown = found
      .slice((page - 1) * perPage, page * perPage)
      .map((run) => this.#shown(run, `${apiUrl}${path.replace(/commits\/.*/, 'check-runs')}/${run.id}`));
    const to = (rel: string, number: number) => {
      const search = new URLSearchParams({ ...query, page: String(number) });
      return `<${apiUrl}${path}?${search}>; rel="${rel}"`;
    };
    const links = [
      ...(page > 1 ? [to('prev', page - 1), to('first', 1)] : []),
      ...(page < last ? [to('next', page + 1), to('last', last)] : []),
    ];
    return {
      status: 200,
      json: { total_count: found.length, check_runs: shown },
      ...(links.length > 0 && { headers: { Link: links.join(', ') } }),
    };
  }

  #find({ check_run_id: id }: Record<string, string>): ShownCheckRun | undefined {
    return this.all.find((run) => run.id === Number(id));
  }

  #shown({ output, ...run }: ShownCheckRun, url: string): object {
    const recorded = example('GET /repos/{owner}/{repo}/check-runs/{check_run_id}');
    const { title = null, summary = null, annotations_count } = output;
    return {
      ...recorded,
      conclusion: null,
      completed_at: null,
      ...run,
      url,
      html_url: url,
      output: { title, summary, text: null, annotations_count, annotations_url: `${url}/annotations` },
      app: { ...(recorded['app'] as object), id: this.#appId },
      pull_requests: [],
    };
  }
}

type Output = Partial<Pick<ShownCheckRun['output'], 'title' | 'summary' | 'annotations'>>;

/** What the published schema does not say. */
function problemOf(body: Call['body']): string | undefined {
  const { title = '', annotations = [] } = (body['output'] ?? {}) as Output;
  if (body['status'] === 'completed' && body['conclusion'] === undefined) return '"conclusion" is missing';
  if (title.length > MAX_TITLE_CHARS) return 'The title is too long';
  const isTaken = ({ start_line, end_line, message, ...rest }: Annotation) =>
    start_line > 0 &&
    end_line >= start_line &&
    (rest.title?.length ?? 0) <= MAX_TITLE_CHARS &&
    [message, rest.raw_details ?? ''].every((text) => Buffer.byteLength(text) <= MAX_TEXT_BYTES);
  return annotations.every(isTaken) ? undefined : 'An annotation is not right';
}

/** Annotations are added to those that there are; one that runs again has not ended. */
function update(run: ShownCheckRun, body: Call['body']): void {
  const { output, ...fields } = body;
  const { annotations = [], ...shown } = (output ?? {}) as Output;
  if (fields['status'] !== undefined && fields['status'] !== 'completed')
    Object.assign(run, { conclusion: null, completed_at: null });
  if (fields['conclusion'] !== undefined) run.status = 'completed';
  Object.assign(run, fields);
  const all = [...run.output.annotations, ...annotations];
  run.output = { ...run.output, ...shown, annotations: all, annotations_count: all.length };
}
