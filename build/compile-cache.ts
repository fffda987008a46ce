import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ServerProcess, type Program } from './server-process.ts';

/**
 * What a program's environment must say for its start to use the cache beside it.
 *
 * @param dist the folder of the bundles
 */
export const compileCacheEnv = (dist: string): Record<string, string> => ({
  NODE_COMPILE_CACHE: join(dist, 'compile-cache'),
  // The folder may lie elsewhere in an image than where it was made.
  NODE_COMPILE_CACHE_PORTABLE: '1',
});

/**
 * Keeps what V8 compiles of a function when it starts (https://nodejs.org/api/module.html#module-compile-cache), so
 * that later starts need not compile it again. The function runs once, with none of the services that it needs: it starts without
 * them, and answers that it lives. Node writes the cache when it ends.
 *
 * @param uid the user for whom it is, as Node keeps it by user; only root may name another
 */
export async function fillCompileCache(
  program: 'submit' | 'status' | 'github',
  dist: string,
  uid?: number,
): Promise<void> {
  const folder = compileCacheEnv(dist)['NODE_COMPILE_CACHE'] as string;
  mkdirSync(folder, { recursive: true });
  if (uid !== undefined) chownSync(folder, uid, uid);
  const nowhere = '127.0.0.1:1';
  const start: Program = {
    file: join(dist, `${program}.mjs`),
    env: {
      ...compileCacheEnv(dist),
      NOTEBURST_ENVIRONMENT_URL: `http://${nowhere}`,
      NOTEBURST_REDIS_URL: `redis://${nowhere}`,
      NOTEBURST_GAFAELFAWR_URL: `http://${nowhere}`,
      NOTEBURST_GITHUB_WEBHOOK_SECRETS: 'of nobody in particular',
      NOTEBURST_GITHUB_SCHEDULE_SECRETS: 'of nobody in particular',
      SAFIR_LOG_LEVEL: 'FATAL',
    },
    first: { path: '/health/live' },
    uid,
  };
  await using server = await ServerProcess.start(start);
  // Through the framework and the routes, as far as that goes.
  await fetch(`${server.url}/noteburst/v1/notebooks/`);
}
