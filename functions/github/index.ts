/** The function that GitHub calls: configured by its environment, one process, scaled by Knative. */
import { githubFunctionConfig } from '../../lib/config/github-function.ts';
import { CallerCheck } from '../../lib/http/caller.ts';
import { serveFunction } from '../../lib/http/serve-function.ts';
import { tokenCheck } from '../../lib/http/token-check.ts';
import { SuiteQueue } from '../../lib/queue/suite-queue.ts';
import { SuiteRuns } from '../../lib/queue/suite-runs.ts';
import { githubHandler } from './github.ts';
import { WEBHOOK_BODIES } from './webhook.ts';

serveFunction('github', githubFunctionConfig, ({ config, redis, onQueueError }) => {
  const queue = new SuiteQueue(config.courierQueue, redis, onQueueError);
  const callers = new CallerCheck(tokenCheck(config), config.requiredScope);
  const handler = githubHandler({ ...config, queue, callers, runs: new SuiteRuns(redis) });
  return { handler, bodies: WEBHOOK_BODIES, close: () => queue.close() };
});
