import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { World, type WorldOptions } from './world.ts';
import type { Row } from './table.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** `small` for `npm test`, `whole` for all cells */
    faultScope: 'small' | 'whole';
    /** where the rows of the table are gathered */
    faultRows: string;
    /** of what is random */
    faultSeed: number;
    /** how often each cell is run */
    faultRuns: number;
    soakMinutes: number;
  }
}

export interface Cell {
  fault: string;
  /** s1 … s10, submit, or any */
  at: string;
  promised: string;
  /** Whether it is part of `npm test`. */
  small?: boolean;
  timeoutMs?: number;
  /**
   * Makes the fault happen and asserts what is promised.
   *
   * @returns how long the recovery took in ms, from the fault to the end of the job that it hit
   */
  run: (world: World) => Promise<number | undefined>;
}

const TIMEOUT_MS = 60_000;

/** The tests of some cells of the matrix: each is followed by the audit of all that must always hold. */
export function faultMatrix(cells: readonly Cell[], options: WorldOptions = {}): void {
  const whole = inject('faultScope') === 'whole';
  const repeats = inject('faultRuns') - 1;
  const inWorld = options.sentinels ? inWorldOfItsOwn(options) : inOneWorld(options);
  for (const cell of cells.filter(({ small }) => whole || small)) {
    const timeout = cell.timeoutMs ?? TIMEOUT_MS;
    test.for([cell])('$fault at $at: $promised', { timeout, repeats }, async () => {
      const errors = await inWorld((world) => runCell(world, cell));
      if (errors.length === 1) throw errors[0];
      expect(errors).toEqual([]);
    });
  }
}

type InWorld = <T>(use: (world: World) => Promise<T>) => Promise<T>;

/** All cells on one service. */
function inOneWorld(options: WorldOptions): InWorld {
  let world: World;
  beforeAll(async () => {
    world = await World.start(options);
  }, TIMEOUT_MS);
  afterAll(() => world[Symbol.asyncDispose](), TIMEOUT_MS);
  return (use) => use(world);
}

/** Sentinels remember the failovers that were, and hold the next one up. */
const inWorldOfItsOwn =
  (options: WorldOptions): InWorld =>
  async (use) => {
    await using world = await World.start(options);
    return await use(world);
  };

/** Runs it, and looks at all that must always hold. @returns what is wrong */
async function runCell(world: World, { fault, at, promised, run }: Cell): Promise<unknown[]> {
  const row: Row = { fault, at, promised, outcome: 'BROKEN' };
  const errors: unknown[] = [];
  try {
    const recoveryMs = await run(world);
    if (recoveryMs !== undefined) row.recoveryMs = Math.round(recoveryMs);
  } catch (error) {
    errors.push(error);
  }
  const outcome = outcomesOf(world);
  const violations = await world.finish();
  if (violations.length > 0) {
    errors.push(new Error(`What must always hold does not:\n  ${violations.join('\n  ')}`));
  }
  if (errors.length === 0) row.outcome = outcome;
  appendFileSync(inject('faultRows'), `${JSON.stringify(row)}\n`);
  return errors;
}

function outcomesOf({ ledger }: World): string {
  const ends = [...ledger.entries.values()].map(({ end }) => end?.job.error?.reason ?? 'success');
  return [...new Set([...ends, ...ledger.refusals.keys()].map(String))].sort().join(', ');
}
