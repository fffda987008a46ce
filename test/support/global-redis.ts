import type { TestProject } from 'vitest/node';
import { TestRedisServer } from './redis-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    redisUrl: string;
  }
}

/** One real Redis for all tests of a run; each test has a queue name of its own. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const server = await TestRedisServer.start();
  project.provide('redisUrl', server.url);
  return () => server[Symbol.asyncDispose]();
}
