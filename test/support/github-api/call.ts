/** A call of GitHub's API, and its answer. */
export interface Asked {
  method: string;
  /** Without what is asked of it. */
  path: string;
  query: Record<string, string>;
  authorization: string;
  body: Record<string, unknown>;
}

/** One that is taken: what the route's names stand for, and where the API is. */
export interface Call extends Asked {
  parameters: Record<string, string>;
  apiUrl: string;
  /** Whether the raw bytes are asked for, by the header Accept. */
  isRaw: boolean;
}

export interface Reply {
  status: number;
  json?: unknown;
  text?: string;
  headers?: Record<string, string>;
}

export const refusal = (status: number, message: string): Reply => ({
  status,
  json: { message, documentation_url: 'https://docs.github.com/rest', status: String(status) },
});
export const NOT_FOUND = refusal(404, 'Not Found');
