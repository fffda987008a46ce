import { isBuiltin } from 'node:module';
import { relative } from 'node:path';
import { rolldown, type OutputChunk, type OutputOptions } from 'rolldown';
import { lazyHttp } from './lazy-http.ts';
import { LICENCES, licences } from './licences.ts';
import { ROOT } from '../platform/state.ts';

/** What a program has loaded once it has started; what its dynamic imports load is not in it. */
export interface Eager {
  /** of code, source maps apart */
  bytes: number;
  /** the files of the project, from its folder */
  files: string[];
  /** the names of the npm packages */
  packages: string[];
  /** what is looked for where the program runs, other than Node's own modules */
  unbundled: string[];
}

// They are loaded where they are installed, colours for a terminal, a native decoder, a proxy's login: not by accident.
const LEFT_OUT = { 'supports-color': false, 'msgpackr-extract': false, kerberos: false } as const;

const OUTPUT = {
  format: 'esm',
  entryFileNames: '[name].mjs',
  sourcemap: true,
  // V8 keeps the text of what has run: one character beyond Latin-1 makes all of it take twice the memory.
  charset: 'ascii',
  // Names stay, so that stacks tell something without the maps, too.
  minify: { compress: true, codegen: true, mangle: false },
} satisfies OutputOptions;

/** V8 parses a file as a whole, and what that takes stays with the process: 12 MB less than for one large file. */
const PARTS = {
  codeSplitting: {
    groups: [{ name: 'packages', tags: ['$initial'], test: /[\\/]node_modules[\\/]/, maxSize: 300_000 }],
  },
} satisfies OutputOptions;

/**
 * Makes of a program ES modules that need Node and nothing else: `<program>.mjs`, its parts and what
 * it loads on demand in `<program>/`, with the licences of what is in them, and source maps, which Node reads with `--enable-source-maps` only.
 *
 * @param entry the path of its first file
 * @param dir where to write it; nothing is written when absent
 * @param target the oldest Node that it is to run on, such as `node20`, for a program that ends soon; absent: a server, with the
 *   Node of its image
 */
export async function bundle(program: string, entry: string, dir?: string, target?: string): Promise<Eager> {
  await using bundler = await rolldown({
    cwd: ROOT,
    input: { [program]: entry },
    platform: 'node',
    ...(target === undefined ? {} : { transform: { target } }),
    resolve: { alias: LEFT_OUT },
    plugins: [lazyHttp, licences(`${program}/${LICENCES}`)],
    onLog: (level, { message }) => {
      if (level === 'warn') throw new Error(`${program}: ${message}`);
    },
  });
  const parts = target === undefined ? PARTS : {};
  const options = { ...OUTPUT, ...parts, chunkFileNames: `${program}/[name]-[hash].mjs` };
  const { output } =
    dir === undefined ? await bundler.generate(options) : await bundler.write({ dir, ...options });
  return eager(output.filter((item) => item.type === 'chunk'));
}

function eager(chunks: OutputChunk[]): Eager {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const loaded = new Set(chunks.filter(({ isEntry }) => isEntry));
  for (const { imports } of loaded) {
    for (const name of imports) {
      const chunk = byName.get(name);
      if (chunk) loaded.add(chunk);
    }
  }
  const all = [...loaded];
  const modules = all.flatMap(({ modules }) => Object.keys(modules)).filter((id) => !id.startsWith('\0'));
  const packages = new Set(modules.flatMap((id) => packageOf(id) ?? []));
  const imports = chunks.flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports]);
  return {
    bytes: all.reduce((sum, { code }) => sum + Buffer.byteLength(code), 0),
    files: modules.filter((id) => packageOf(id) === undefined).map((id) => relative(ROOT, id)),
    packages: [...packages].toSorted(),
    unbundled: imports.filter((name) => !byName.has(name) && !isBuiltin(name)),
  };
}

/** Of `…/node_modules/@scope/name/x.js`, `@scope/name`; undefined for the project's own. */
function packageOf(id: string): string | undefined {
  const within = id.split('/node_modules/').at(-1) as string;
  if (within === id) return undefined;
  return within.split('/', within.startsWith('@') ? 2 : 1).join('/');
}
