import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Of nobody in particular, whatever the machine's settings are. */
const ENV = {
  PATH: process.env['PATH'],
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.org',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.org',
};

/** What is committed: text, bytes, where a link leads, or the commit of another repository. */
export type Content = string | Buffer | { link: string } | { submodule: string };

/** A real repository, made by the real git, and served by it as git hosts do. */
export class GitRepository implements Disposable {
  readonly #root = mkdtempSync(join(tmpdir(), 'noteburst-git-'));
  readonly #work: string;
  /** `owner/name` */
  readonly name: string;

  constructor(name: string) {
    this.name = name;
    this.#work = join(this.#root, `${name}.git`);
    mkdirSync(this.#work, { recursive: true });
    this.git('init', '--quiet', '--initial-branch=main');
    // As GitHub has it.
    this.git('config', 'uploadpack.allowReachableSHA1InWant', 'true');
  }

  git(...args: string[]): string {
    return execFileSync('git', args, { cwd: this.#work, env: ENV, encoding: 'utf8', stdio: 'pipe' }).trim();
  }

  /** @returns the id of the commit */
  commit(files: Record<string, Content>, message = 'Change'): string {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.#work, path);
      mkdirSync(dirname(file), { recursive: true });
      if (typeof content === 'string' || Buffer.isBuffer(content)) writeFileSync(file, content);
      else if ('link' in content) symlinkSync(content.link, file);
      else this.git('update-index', '--add', '--cacheinfo', `160000,${content.submodule},${path}`);
      if (!(typeof content === 'object' && 'submodule' in content)) this.git('add', '--', path);
    }
    this.git('commit', '--quiet', '--allow-empty', '-m', message);
    return this.git('rev-parse', 'HEAD');
  }

  /** A commit of these files, and no others. @returns its id */
  commitOnly(files: Record<string, Content>): string {
    this.git('rm', '-r', '--quiet', '--ignore-unmatch', '.');
    return this.commit(files);
  }

  /** Writes an object of git's as it is, which git itself might not make. @returns its id */
  object(type: 'tree', content: Buffer): string {
    const args = ['hash-object', '-w', '-t', type, '--stdin', '--literally'];
    const options = { cwd: this.#work, env: ENV, input: content, encoding: 'utf8' } as const;
    return execFileSync('git', args, options).trim();
  }

  /** What a file is, by its id. */
  bytes(id: string): Buffer {
    const options = { cwd: this.#work, env: ENV, maxBuffer: 64 * 1024 * 1024 };
    return execFileSync('git', ['cat-file', 'blob', id], options);
  }

  /** Answers what git asks over HTTP, by git's own CGI program. */
  serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, search } = new URL(request.url ?? '/', 'https://localhost');
    const child = spawn('git', ['http-backend'], {
      env: {
        ...ENV,
        GIT_PROJECT_ROOT: this.#root,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: pathname.replace('.git/', '.git/.git/'),
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'],
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
        GIT_PROTOCOL: request.headers['git-protocol'] as string | undefined,
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    request.pipe(child.stdin).on('error', () => undefined);
    let head = Buffer.alloc(0);
    child.stdout.on('data', (chunk: Buffer) => {
      if (response.headersSent) return void response.write(chunk);
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      const lines = head.toString('latin1', 0, end).split('\r\n');
      const headers = Object.fromEntries(lines.map((line) => line.split(': ', 2) as [string, string]));
      response.writeHead(Number.parseInt(headers['Status'] ?? '200', 10), headers);
      response.write(head.subarray(end + 4));
    });
    child.once('close', () => response.end());
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}
