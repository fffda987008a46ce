import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { warning } from '@actions/core';

/** What GitHub does not take in the path of a file, for the sake of other file systems. */
const NOT_TAKEN = /["<>|*?:\r\n]/;

/** Uploads what is in a folder. That it fails is told, and no more: the verdict counts more than the reports. */
export async function upload(name: string, dir: string): Promise<void> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const [taken, left] = [
    files.filter((file) => !isLeftOut(dir, file)),
    files.filter((file) => isLeftOut(dir, file)),
  ];
  if (left.length > 0) {
    const names = left.map((file) => relative(dir, file)).join(', ');
    warning(`Artifacts may not have files of such names: ${names}`);
  }
  try {
    // Loaded when it is needed: it brings the client of a cloud along.
    const { DefaultArtifactClient } = await import('@actions/artifact');
    await new DefaultArtifactClient().uploadArtifact(name, taken, dir);
  } catch (error) {
    warning(`There is no artifact ${name}: ${(error as Error).message}`);
  }
}

const isLeftOut = (dir: string, file: string) => NOT_TAKEN.test(relative(dir, file));
