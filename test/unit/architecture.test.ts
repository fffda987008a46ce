import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const PRODUCT = ['action', 'cli', 'client', 'functions', 'lib', 'suite', 'workers'];

interface Module {
  /** Path below the project's folder. */
  file: string;
  text: string;
  /** What it imports: paths below the project's folder, or names of packages. */
  imports: string[];
}

function modules(): Module[] {
  return globSync(`{${PRODUCT.join(',')}}/**/*.ts`, { cwd: ROOT }).map((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const names = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] as string);
    const imports = names.map((name) =>
      name.startsWith('.') ? relative(ROOT, join(ROOT, file, '..', name)) : packageOf(name),
    );
    return { file, text, imports };
  });
}

/** `ws/lib/x` is of `ws`, `@scope/name/x` of `@scope/name`. */
function packageOf(name: string): string {
  return name.split('/', name.startsWith('@') ? 2 : 1).join('/');
}

const all = modules();

/** Each import of `files` that is not allowed, as "file → import". */
function violations(files: string, allowed: (imported: string, file: string) => boolean): string[] {
  const within = all.filter(({ file }) => file.startsWith(files));
  expect(within.length, `modules below ${files}`).toBeGreaterThan(0);
  return within.flatMap(({ file, imports }) =>
    imports.filter((imported) => !allowed(imported, file)).map((imported) => `${file} → ${imported}`),
  );
}

/** Whether an import stays in the file's own function or worker. */
const own = (imported: string, file: string) => imported.startsWith(file.split('/').slice(0, 2).join('/'));

const RENDERERS = ['highlight.js', 'markdown-it', 'sanitize-html'];

const isBuiltin = (imported: string) => imported.startsWith('node:');

describe('imports go one way', () => {
  test('lib/contract imports zod only', () => {
    expect(violations('lib/contract/', (name) => name === 'zod' || name.startsWith('lib/contract/'))).toEqual(
      [],
    );
  });

  test('lib imports neither functions nor workers', () => {
    expect(violations('lib/', (name) => !/^(functions|workers|platform|test)\//.test(name))).toEqual([]);
  });

  test('functions import the framework and lib only, and not each other; pages what they render with', () => {
    const allowed = (name: string, file: string) =>
      name === '@google-cloud/functions-framework' ||
      (file.startsWith('functions/github/') && name === '@octokit/webhooks-methods') ||
      (file.startsWith('functions/status/pages/render/') && RENDERERS.includes(name)) ||
      name.startsWith('lib/') ||
      isBuiltin(name) ||
      own(name, file);
    expect(violations('functions/', allowed)).toEqual([]);
  });

  test('client and suite, which run where users are, know of lib what is wire and what is HTML only', () => {
    const client = /^(client\/|lib\/contract\/|zod$|eventsource-parser$|node:)/;
    expect(violations('client/', (name) => client.test(name))).toEqual([]);
    const rooms = /^(functions|workers|cli|action|platform|test|bench|build|lib)\//;
    const suite = (name: string) => !rooms.test(name) || /^lib\/(contract|html)\//.test(name);
    expect(violations('suite/', suite)).toEqual([]);
    const cli = /^(cli\/|suite\/|client\/|lib\/contract\/|package\.json$|node:|yargs$|yaml$|zod$)/;
    expect(violations('cli/', (name) => cli.test(name))).toEqual([]);
    const html = (name: string) => name.startsWith('lib/html/') || name === 'anser' || isBuiltin(name);
    expect(violations('lib/html/', html)).toEqual([]);
  });

  test('action knows GitHub, the suite and the client, and of lib what is wire', () => {
    const action = /^(action\/|suite\/|client\/|lib\/contract\/|@actions\/|yaml$|zod$|node:)/;
    expect(violations('action/', (name) => action.test(name))).toEqual([]);
    for (const room of PRODUCT.filter((room) => room !== 'action')) {
      expect(violations(`${room}/`, (name) => !/^(action\/|@actions\/)/.test(name))).toEqual([]);
    }
  });

  test('what functions use of lib needs neither ws nor undici nor redlock', () => {
    expect(violations('lib/', (name) => !['ws', 'undici', 'redlock'].includes(name))).toEqual([]);
  });

  test('only kernel/ knows ws, only lab/ and the way out of the courier know undici', () => {
    const room = 'workers/executor';
    expect(
      violations('workers/', (name, file) => name !== 'ws' || file.startsWith(`${room}/kernel/`)),
    ).toEqual([]);
    expect(
      violations(
        'workers/',
        (name, file) => name !== 'undici' || /^workers\/(executor\/lab|courier\/outgoing)\//.test(file),
      ),
    ).toEqual([]);
  });

  test('kernel/ and notebook/ know nothing of the lab, kernel/ nothing of notebooks', () => {
    expect(
      violations('workers/executor/notebook/', (name) => !name.startsWith('workers/executor/lab/')),
    ).toEqual([]);
    const others = /^workers\/executor\/(lab|notebook|identity)\//;
    expect(violations('workers/executor/kernel/', (name) => !others.test(name))).toEqual([]);
  });

  test('jobs/ knows neither labs nor how notebooks are run in them', () => {
    const room = 'workers/executor';
    const allowed = (name: string) =>
      !name.startsWith('workers/') || name.startsWith(`${room}/jobs/`) || name === `${room}/deadline.ts`;
    expect(violations(`${room}/jobs/`, allowed)).toEqual([]);
  });

  test('workers know nothing of each other', () => {
    expect(violations('workers/', (name, file) => !name.startsWith('workers/') || own(name, file))).toEqual(
      [],
    );
  });

  test('the way out of the courier knows nothing of what it is used for', () => {
    const room = 'workers/courier/outgoing/';
    const allowed = (name: string) => !name.startsWith('workers/') || name.startsWith(room);
    expect(violations(room, allowed)).toEqual([]);
    expect(
      violations('lib/outgoing/', (name) => isBuiltin(name) || name.startsWith('lib/outgoing/')),
    ).toEqual([]);
  });

  test('BullMQ appears in lib/queue and where workers take their jobs', () => {
    const allowed =
      /^(lib\/queue\/|workers\/executor\/jobs\/job-queue\.ts|workers\/courier\/courier-queue\.ts)/;
    for (const room of PRODUCT) {
      expect(violations(`${room}/`, (name, file) => name !== 'bullmq' || allowed.test(file))).toEqual([]);
    }
  });

  test('the product imports nothing of the platform or the tests', () => {
    for (const room of PRODUCT) {
      expect(violations(`${room}/`, (name) => !/^(platform|test|bench)\//.test(name))).toEqual([]);
    }
  });

  test('the environment is read where a process begins, nowhere else', () => {
    const roots = [
      'action/main.ts',
      'workers/executor/main.ts',
      'workers/courier/main.ts',
      'lib/http/serve-function.ts',
    ];
    // A command is all of its process.
    const rooms = all.filter(({ file }) => !file.startsWith('cli/'));
    const readers = rooms.filter(({ text }) => text.includes('process.env')).map(({ file }) => file);
    expect(readers.toSorted()).toEqual(roots.toSorted());
  });
});
