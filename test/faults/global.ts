import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { ROOT } from '../../platform/state.ts';
import { faultTable, type Row } from './table.ts';

const BEGIN = '<!-- the table: written by `npm run test:faults -- --write` -->';
const END = '<!-- end of the table -->';

/** vitest's global set-up of the tiers with faults: a seed, and in the end the table. */
export default function setUp(project: TestProject): () => void {
  const dir = mkdtempSync(join(tmpdir(), 'noteburst-fault-rows-'));
  const path = join(dir, 'rows.jsonl');
  const seed = Number(process.env['NOTEBURST_FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  project.provide('faultRows', path);
  project.provide('faultSeed', seed);
  project.provide('soakMinutes', Number(process.env['NOTEBURST_FAULTS_MINUTES'] ?? 20));
  project.provide('faultRuns', Number(process.env['NOTEBURST_FAULTS_RUNS'] ?? 1));
  console.log(`seed ${seed}: NOTEBURST_FAULTS_SEED=${seed} repeats what is random`);
  return () => {
    const lines = existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
    const rows = lines.map((line) => JSON.parse(line) as Row);
    const table = faultTable(rows);
    console.log(`\n${table}\n`);
    if (process.env['NOTEBURST_FAULTS_WRITE'] === '1') writeTable(table);
    rmSync(dir, { recursive: true, force: true });
  };
}

function writeTable(table: string): void {
  const path = join(ROOT, 'docs', 'reliability.md');
  const text = readFileSync(path, 'utf8');
  const [before, after] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (before < 0 || after < 0) throw new Error(`${path} has lost the marks around its table`);
  writeFileSync(path, `${text.slice(0, before)}${BEGIN}\n\n${table}\n\n${text.slice(after)}`);
}
