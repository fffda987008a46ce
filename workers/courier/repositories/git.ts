/** The real git, told everything by its environment, so that nothing of a user's or a repository's settings has a say. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** git did not do what it was asked to; the message is git's own, in which there are no credentials. */
export class GitError extends Error {
  override readonly name = 'GitError';
}

/** It printed more than it may. */
export class TooMuchOutputError extends GitError {}

export interface GitCall {
  /** The bare repository. */
  repository: string;
  args: readonly string[];
  /** Settings for this call. They may be secret: they are handed over by the environment, and not as arguments. */
  settings?: Readonly<Record<string, string>>;
  input?: string;
  /** Ends git, and with it all that it has started. */
  signal: AbortSignal;
  /** Of what it prints. */
  maxBytes?: number;
  /** A file of CAs in the place of the system's. */
  caPath?: string | undefined;
}

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const MAX_COMPLAINT = 2_000;

const SETTINGS = {
  'protocol.allow': 'never',
  'protocol.https.allow': 'always',
  'http.followRedirects': 'false',
  'core.hooksPath': '/dev/null',
  'credential.helper': '',
  'fetch.recurseSubmodules': 'false',
  // What is begun by a courier that was killed ends by itself, when nothing comes any more.
  'http.lowSpeedLimit': '1000',
  'http.lowSpeedTime': '30',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  // Of a fetch that ended too soon there is no object, however few it has: they come as one pack, or not at all.
  'fetch.unpackLimit': '1',
  // Others' files decide how much memory they take otherwise: what is larger is passed on piece by piece.
  'core.bigFileThreshold': '8m',
  'core.deltaBaseCacheLimit': '16m',
  'pack.threads': '1',
};

/**
 * @returns what it printed
 * @throws {GitError}
 */
export async function git(call: GitCall): Promise<Buffer> {
  const { args, input = '', signal, maxBytes = MAX_OUTPUT_BYTES } = call;
  signal.throwIfAborted();
  // A group of its own, for git leaves what it fetches with to processes of its own.
  const child = spawn('git', args, { env: environment(call), stdio: 'pipe', detached: true });
  const end = () => kill(child.pid);
  signal.addEventListener('abort', end, { once: true });
  const printed: Buffer[] = [];
  let bytes = 0;
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxBytes) printed.push(chunk);
    else end();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-MAX_COMPLAINT);
  });
  child.stdin.on('error', () => undefined).end(input);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    signal.throwIfAborted();
    if (bytes > maxBytes) throw new TooMuchOutputError(`git printed more than ${maxBytes} bytes`);
    if (code !== 0) throw new GitError(complaint.trim() || `git ended with ${code}`);
    return Buffer.concat(printed);
  } finally {
    signal.removeEventListener('abort', end);
  }
}

function kill(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function environment({ repository, settings = {}, caPath }: GitCall): NodeJS.ProcessEnv {
  const all = Object.entries({ ...SETTINGS, ...settings });
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    LC_ALL: 'C',
    HOME: repository,
    GIT_DIR: repository,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_COUNT: String(all.length),
    ...(caPath !== undefined && { GIT_SSL_CAINFO: caPath }),
    ...Object.fromEntries(
      all.flatMap(([key, value], n) => [
        [`GIT_CONFIG_KEY_${n}`, key],
        [`GIT_CONFIG_VALUE_${n}`, value],
      ]),
    ),
  };
}
