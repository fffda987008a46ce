/** The status function: configured by its environment, one process, scaled by Knative. */
import { runFunction } from '../../lib/http/run-function.ts';
import { statusHandler } from './status.ts';

runFunction('status', ({ config, ...parts }) => statusHandler({ ...config, ...parts }));
