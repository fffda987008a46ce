/**
 * Ends a job that waits, as BullMQ's own script ends one that was active: so nobody needs to be alive for it, and no
 * executor starts for it. BullMQ has no call for that.
 */
import type { NbexecOutcome } from '../contract/nbexec-job.ts';
import { jobEnded } from '../contract/live-event.ts';
import { ENDED_EVENTS_TTL_SECONDS, type WakeKind } from './live-events.ts';

/**
 * Lua: `end_waiting(id, now, job, completed, events, live, outcome, event)`, for a job that was just taken off the list
 * it waited in; `live` is the key of its stream and the channel of its watchers.
 */
export const END_WAITING = `
local function end_waiting(id, now, job, completed, events, live, outcome, event)
  redis.call('HSET', job, 'finishedOn', now, 'returnvalue', outcome)
  redis.call('ZADD', completed, now, id)
  redis.call('XADD', events, '*', 'event', 'completed', 'jobId', id, 'returnvalue', outcome, 'prev', 'waiting')
  redis.call('XADD', live, '*', 'event', event)
  redis.call('EXPIRE', live, ${ENDED_EVENTS_TTL_SECONDS})
  redis.call('PUBLISH', live, '${'end' satisfies WakeKind}')
end
`;

/** The last two arguments. */
export const endWaitingArgs = (outcome: NbexecOutcome): [outcome: string, event: string] => [
  JSON.stringify(outcome),
  JSON.stringify(jobEnded(outcome.error, outcome.ipynb_error?.name)),
];
