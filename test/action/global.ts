import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { bundleAction } from '../../build/bundle-action.ts';
import { ROOT } from '../../platform/state.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of the action as a release has it, far from any node_modules. */
    actionDir: string;
  }
}

/** vitest's global set-up of the action's tests: they run what a workflow would run. */
export default async function setUp(project: TestProject): Promise<() => void> {
  const dir = mkdtempSync(join(tmpdir(), 'noteburst-action-'));
  cpSync(join(ROOT, 'action/action.yml'), join(dir, 'action.yml'));
  const { unbundled } = await bundleAction(join(dir, 'dist'));
  if (unbundled.length > 0) throw new Error(`the action needs ${unbundled.join(', ')}, which no runner has`);
  project.provide('actionDir', dir);
  return () => rmSync(dir, { recursive: true });
}
