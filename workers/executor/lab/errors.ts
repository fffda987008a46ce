/** Anything that went wrong between us and the hub or the lab. Messages name the call, never a token, cookie or body. */
export class JupyterError extends Error {
  override readonly name: string = 'JupyterError';
}

/** The hub or the lab answered with a status that is not success. */
export class JupyterResponseError extends JupyterError {
  override readonly name = 'JupyterResponseError';
  readonly method: string;
  /** path of the URL, without its query: that may hold OAuth codes */
  readonly path: string;
  readonly status: number;
  /** milliseconds to stay away, when the answer asked for it */
  readonly retryAfterMs: number | undefined;

  constructor(method: string, path: string, status: number, retryAfterMs?: number) {
    super(`${method} ${path} answered ${status}`);
    this.method = method;
    this.path = path;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  /** our cookies or XSRF token are not taken (any more); a redirect is an error only where it leads to a login */
  get unauthorized(): boolean {
    return this.status === 401 || this.status === 403 || (this.status >= 300 && this.status < 400);
  }

  /** throttled, restarting, or a proxy that cannot reach the server: worth another try later */
  get transient(): boolean {
    return [429, 502, 503, 504].includes(this.status);
  }
}

/** No answer: refused, reset, or not within the time allowed. */
export class JupyterUnreachableError extends JupyterError {
  override readonly name = 'JupyterUnreachableError';
}

/** An answer of another shape than we know. */
export class JupyterProtocolError extends JupyterError {
  override readonly name = 'JupyterProtocolError';
}

/** A redirect that leaves the hub and the lab, or never ends. Following it would hand our token to a stranger. */
export class RedirectRefusedError extends JupyterError {
  override readonly name = 'RedirectRefusedError';
}

/** gone: stopped or culled; unauthorized: refuses us; unreachable: no answer; broken: answers that make no sense */
export type LabTrouble = 'gone' | 'unauthorized' | 'unreachable' | 'broken';

/** This lab (or our session with its hub) is of no more use: fence anew and spawn another. */
export class LabUnusableError extends JupyterError {
  override readonly name = 'LabUnusableError';
  readonly trouble: LabTrouble;

  constructor(trouble: LabTrouble, message: string, cause?: unknown) {
    super(message, { cause });
    this.trouble = trouble;
  }
}

/** The hub could not spawn the lab. */
export class SpawnFailedError extends JupyterError {
  override readonly name = 'SpawnFailedError';
  /** what the hub said last, written by the platform's operators for people */
  readonly lastProgress: string | undefined;

  constructor(message: string, lastProgress?: string, cause?: unknown) {
    super(lastProgress ? `${message} The hub's last word: ${lastProgress}` : message, { cause });
    this.lastProgress = lastProgress;
  }
}

/** The lab was told to stop and is still there: nobody else may use the identity yet. */
export class LabNotStoppedError extends JupyterError {
  override readonly name = 'LabNotStoppedError';
}

/** The lab has no kernel of that name. */
export class NoSuchKernelError extends JupyterError {
  override readonly name = 'NoSuchKernelError';
}

/** Somebody with a higher epoch uses the lab: it is not ours any more, whatever we still believe. */
export class NewerEpochError extends JupyterError {
  override readonly name = 'NewerEpochError';

  constructor(seen: number, ours: number) {
    super(`A session with epoch ${seen} is in the lab, and ours is ${ours}`);
  }
}

/** Whether hub or lab do not take the bot's token (any more), a new login having been tried. */
export const isTokenRefusal = (error: unknown): error is LabUnusableError =>
  error instanceof LabUnusableError && error.trouble === 'unauthorized';
