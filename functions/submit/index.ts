/** The submit function: configured by its environment, one process, scaled by Knative. */
import { runFunction } from '../../lib/http/run-function.ts';
import { submitHandler } from './submit.ts';

runFunction('submit', ({ config, ...parts }) => submitHandler({ ...config, ...parts }));
