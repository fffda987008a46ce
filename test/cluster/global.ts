import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The address at which pods reach this machine. */
    clusterHost: string;
    /** Makes an image of plain files; undefined when the cluster has the images already. */
    imageCommand: string | undefined;
  }
}

/** vitest's global set-up of the tests in a cluster: what test/cluster/run.ts found. */
export default function setUp(project: TestProject): void {
  project.provide('clusterHost', process.env['NOTEBURST_TEST_HOST'] ?? '');
  project.provide('imageCommand', process.env['NOTEBURST_TEST_IMAGE_COMMAND'] || undefined);
}
