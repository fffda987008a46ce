import { ServerProcess, type Program } from '../../build/server-process.ts';
import { interrupted } from '../interrupted.ts';
import { sample, type Sample } from '../statistics.ts';

const RUNS = 9;

/** How long programs take from the start of the process to their first 2xx, one after the other in turn. */
export async function coldStarts(programs: Map<string, Program>): Promise<Map<string, Sample>> {
  const times = new Map([...programs.keys()].map((name) => [name, [] as number[]]));
  for (let run = 0; run < RUNS; run++) {
    for (const [name, program] of programs) {
      interrupted.throwIfAborted();
      await using server = await ServerProcess.start(program);
      times.get(name)?.push(server.startedInMs);
    }
  }
  return new Map([...times].map(([name, all]) => [name, sample(all)]));
}
