import { describe, expect, test } from 'vitest';
import {
  isServing,
  nextState,
  type ExecutorEvent,
  type ExecutorState,
} from '../../../workers/executor/executor-state.ts';

const STATES = [
  ...(['idle', 'acquiring', 'waiting', 'fencing', 'warming', 'ready', 'running'] as const),
  ...(['draining', 'stopping', 'released', 'evicted'] as const),
];
const EVENTS = [
  ...(['acquire', 'taken', 'acquired', 'fenced', 'warmed', 'busy', 'free'] as const),
  ...(['drain', 'respawn', 'leave', 'release', 'evict'] as const),
];

/** All states on the way, the first one included. */
function path(...events: ExecutorEvent[]): ExecutorState[] {
  const states: ExecutorState[] = ['idle'];
  for (const event of events) states.push(nextState(states.at(-1) as ExecutorState, event));
  return states;
}

const TO_READY = ['acquire', 'acquired', 'fenced', 'warmed'] as const;

describe('the life of an executor', () => {
  test('from idle to released', () => {
    expect(path(...TO_READY, 'busy', 'free', 'busy', 'drain', 'leave', 'release')).toEqual(
      'idle acquiring fencing warming ready running ready running draining stopping released'.split(' '),
    );
  });

  test('waits while every identity is taken', () => {
    expect(path('acquire', 'taken', 'acquired')).toEqual(['idle', 'acquiring', 'waiting', 'fencing']);
  });

  test('goes on with another lab under the same lease, and with another lease', () => {
    expect(path(...TO_READY, 'drain', 'respawn').at(-1)).toBe('fencing');
    expect(path(...TO_READY, 'drain', 'leave', 'release', 'acquire').at(-1)).toBe('acquiring');
  });

  test('can end before it began', () => {
    expect(path('release')).toEqual(['idle', 'released']);
    expect(path('acquire', 'taken', 'release').at(-1)).toBe('released');
  });
});

describe('an eviction', () => {
  test.each([2, 3, 4, 5, 6, 7])('comes after %i events, wherever a lease is held', (count) => {
    const events = [...TO_READY, 'busy', 'drain', 'leave'] as const;
    expect(path(...events.slice(0, count), 'evict').at(-1)).toBe('evicted');
  });

  test('is not changed by what is torn down after it, and may end with the lock given back', () => {
    expect(path(...TO_READY, 'busy', 'evict', 'free', 'drain', 'leave').at(-1)).toBe('evicted');
    expect(path(...TO_READY, 'evict', 'leave', 'release', 'acquire').at(-1)).toBe('acquiring');
  });

  test.each(['idle', 'acquiring', 'waiting', 'released'] as const)('cannot come while %s', (state) => {
    expect(() => nextState(state, 'evict')).toThrow(
      `An executor that is ${state} cannot take the event "evict"`,
    );
  });
});

test('jobs are taken with a warm lab only', () => {
  const states = path(...TO_READY, 'busy', 'drain', 'leave', 'release');
  expect(states.filter(isServing)).toEqual(['ready', 'running']);
});

test('every state is entered from where the diagram says, and from nowhere else', () => {
  const ways = STATES.flatMap((from) => EVENTS.flatMap((event) => ({ from, to: after(from, event) })));
  const into = (state: ExecutorState) => [
    ...new Set(ways.filter(({ from, to }) => to === state && from !== state).map(({ from }) => from)),
  ];
  expect(Object.fromEntries(STATES.map((state) => [state, into(state)]))).toEqual({
    idle: [],
    acquiring: ['idle', 'released'],
    waiting: ['acquiring'],
    fencing: ['acquiring', 'waiting', 'draining'],
    warming: ['fencing'],
    ready: ['warming', 'running'],
    running: ['ready'],
    draining: ['warming', 'ready', 'running'],
    stopping: ['fencing', 'warming', 'draining'],
    released: ['idle', 'acquiring', 'waiting', 'stopping', 'evicted'],
    evicted: ['fencing', 'warming', 'ready', 'running', 'draining', 'stopping'],
  });
});

/** Undefined for what cannot happen. */
function after(state: ExecutorState, event: ExecutorEvent): ExecutorState | undefined {
  try {
    return nextState(state, event);
  } catch {
    return undefined;
  }
}
