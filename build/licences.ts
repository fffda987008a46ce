import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'rolldown';

/** The file's name. */
export const LICENCES = 'LICENSES.txt';

const LICENCE = /^(?:licen[cs]e|copying|notice)/i;
const PACKAGE = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;

/** Puts the licences of the npm packages that are in a bundle beside it, as most of them ask for. */
export const licences = (fileName: string): Plugin => ({
  name: 'licences',
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((item) => (item.type === 'chunk' ? item.moduleIds : []));
    const dirs = new Set(modules.flatMap((id) => (id.startsWith('\0') ? [] : (PACKAGE.exec(id)?.[0] ?? []))));
    const texts = new Set([...dirs].toSorted().map(licenceOf));
    this.emitFile({ type: 'asset', fileName, source: [...texts].join(`\n${'-'.repeat(80)}\n\n`) });
  },
});

function licenceOf(dir: string): string {
  const says = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Record<string, unknown>;
  const files = readdirSync(dir, { withFileTypes: true }).filter(
    (at) => at.isFile() && LICENCE.test(at.name),
  );
  const texts = files.map(({ name }) => readFileSync(join(dir, name), 'utf8').trim());
  const licence = typeof says['license'] === 'string' ? says['license'] : 'it does not say which';
  return [`${String(says['name'])} ${String(says['version'])}: ${licence}`, ...texts, ''].join('\n\n');
}
