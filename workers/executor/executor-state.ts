/**
 * The life of an executor:
 *
 *     idle → acquiring (→ waiting) → fencing → warming → ready ⇄ running → draining → stopping → released
 *
 * with `draining → fencing` when only the lab is lost, `released → acquiring` after a failure, and, from wherever a lease
 * is held, `evicted`: the process ends there, unless the lock was still ours to give back. Jobs are taken in `ready` and
 * `running` only.
 */
export type ExecutorState =
  | 'idle'
  | 'acquiring'
  | 'waiting'
  | 'fencing'
  | 'warming'
  | 'ready'
  | 'running'
  | 'draining'
  | 'stopping'
  | 'released'
  | 'evicted';

/**
 * `taken`: every identity is another's. `fenced`: the lab is ours alone. `warmed`: it can take jobs. `busy`, `free`: the
 * first job begins, the last one ends. `respawn`: another lab under the same lease. `leave`: the way out begins.
 */
export type ExecutorEvent =
  | 'acquire'
  | 'taken'
  | 'acquired'
  | 'fenced'
  | 'warmed'
  | 'busy'
  | 'free'
  | 'drain'
  | 'respawn'
  | 'leave'
  | 'release'
  | 'evict';

const TRANSITIONS: Record<ExecutorState, Partial<Record<ExecutorEvent, ExecutorState>>> = {
  idle: { acquire: 'acquiring', release: 'released' },
  acquiring: { taken: 'waiting', acquired: 'fencing', release: 'released' },
  waiting: { acquired: 'fencing', release: 'released' },
  fencing: { fenced: 'warming', leave: 'stopping', evict: 'evicted' },
  warming: { warmed: 'ready', drain: 'draining', leave: 'stopping', evict: 'evicted' },
  ready: { busy: 'running', drain: 'draining', evict: 'evicted' },
  running: { free: 'ready', drain: 'draining', evict: 'evicted' },
  draining: { respawn: 'fencing', leave: 'stopping', evict: 'evicted' },
  stopping: { release: 'released', evict: 'evicted' },
  released: { acquire: 'acquiring' },
  evicted: { release: 'released' },
};

/**
 * Where an event leads.
 *
 * @throws an Error for one that cannot happen in this state: then the code is not what the diagram says
 */
export function nextState(state: ExecutorState, event: ExecutorEvent): ExecutorState {
  const next = TRANSITIONS[state][event];
  if (next) return next;
  // What is being torn down after an eviction still tells of its end; that changes nothing.
  if (state === 'evicted') return state;
  throw new Error(`An executor that is ${state} cannot take the event "${event}"`);
}

/** Whether jobs are taken. */
export const isServing = (state: ExecutorState): boolean => state === 'ready' || state === 'running';
