/** What went wrong between the caller and the service. */
export class NoteburstError extends Error {
  override readonly name: string = 'NoteburstError';
}

/** No answer: the service cannot be reached, or it did not answer in time. */
export class UnreachableError extends NoteburstError {
  override readonly name = 'UnreachableError';
}

/** One thing that is wrong, in FastAPI's form. */
interface Detail {
  type?: string;
  msg?: string;
  loc?: (string | number)[];
}

/** An answer that is no success; its text is what the service says. */
export class RefusedError extends NoteburstError {
  override readonly name = 'RefusedError';
  /** HTTP's. */
  readonly status: number;
  /** The service's word for the first thing that is wrong, such as `unknown_pool`; undefined when it is none of its answers. */
  readonly type: string | undefined;
  /** The field of the request's body that it is about, such as `image`; undefined when it is about something else. */
  readonly field: string | undefined;

  constructor(status: number, message: string, { type, loc }: Detail = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.field = loc?.[0] === 'body' && loc.length > 1 ? String(loc[1]) : undefined;
  }
}

/** Reads an error's body: FastAPI's form, else whatever a proxy in between wrote. */
export function refusal(status: number, body: string): RefusedError {
  const details = detailsOf(body);
  if (details.length === 0) return new RefusedError(status, `HTTP ${status}${hint(status)}`);
  const text = details.map(({ msg, loc }) => `${where(loc)}${msg ?? 'refused'}`).join('; ');
  return new RefusedError(status, `${text} (HTTP ${status})${hint(status)}`, details[0]);
}

function detailsOf(body: string): Detail[] {
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    return Array.isArray(detail)
      ? (detail as Detail[]).filter((entry) => typeof entry?.msg === 'string')
      : [];
  } catch {
    return [];
  }
}

/** Of `["body", "timeout"]`, `timeout: `; the first says only which part of the request it is. */
function where(loc: Detail['loc']): string {
  const path = (loc ?? []).slice(1).join('.');
  return path === '' ? '' : `${path}: `;
}

function hint(status: number): string {
  if (status === 401) return '. The token is missing, wrong or has expired';
  if (status === 403) return '. The token needs the scope exec:notebook';
  return '';
}
