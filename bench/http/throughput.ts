import { interrupted } from '../interrupted.ts';
import { sample } from '../statistics.ts';
import { load, type Call, type Load, type Outcome } from './load.ts';
import type { ServerProcess } from '../../build/server-process.ts';

const ROUNDS = 5;
const SECONDS = 2;

/** One line of a table: a server and what it is asked. */
export interface Contender {
  who: string;
  server: ServerProcess;
  calls: Call[];
  /** what it is to answer to each */
  status: number;
  /** puts away what a load left */
  tidy?: () => Promise<unknown>;
}

export interface Rate {
  who: string;
  /** the median of the rounds, as the other */
  perSecond: number;
  p99: number;
}

/** The contenders in turn, several times over: what disturbs the machine meets all of them. */
export async function rates(contenders: Contender[], connections: number): Promise<Rate[]> {
  const outcomes = new Map(contenders.map((contender) => [contender, [] as Outcome[]]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const contender of contenders) {
      const outcome = await checkedLoad(contender, { connections, for: { seconds: SECONDS } });
      // The first round warms them up.
      if (round > 0) outcomes.get(contender)?.push(outcome);
    }
  }
  return [...outcomes].map(([{ who }, all]) => ({
    who,
    perSecond: sample(all.map(({ perSecond }) => perSecond)).median,
    p99: sample(all.map(({ p99 }) => p99)).median,
  }));
}

/** @throws when a request was answered otherwise than it should be, or not at all */
export async function checkedLoad(contender: Contender, bound: Load): Promise<Outcome> {
  const { who, server, calls, status, tidy } = contender;
  interrupted.throwIfAborted();
  const outcome = await load(server.url, calls, bound);
  await tidy?.();
  const { failed, statuses } = outcome;
  if (failed > 0 || Object.keys(statuses).join() !== String(status)) {
    throw new Error(`${who}: ${failed} requests failed, answered was ${JSON.stringify(statuses)}`);
  }
  return outcome;
}
