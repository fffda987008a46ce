import type { ProcessProbe } from './death-watch.ts';
import type { LeasedKernel } from './leased-kernel.ts';

const ANSWER_MS = 5_000;

/** psutil comes with ipykernel. What nobody has waited for yet, a zombie, runs no more either. */
const lookFor = (pid: number): string => `
import psutil
try:
    print(psutil.Process(${pid}).status() != psutil.STATUS_ZOMBIE)
except psutil.NoSuchProcess:
    print(False)
`;

/**
 * A kernel that looks for the processes of other kernels of its lab, which no API of the lab can do: kernels that are
 * of one lab run side by side, as Nublado's do. Started when first needed, since most labs never do; about 70 MB.
 */
export class Witness {
  readonly #start: () => Promise<LeasedKernel>;
  #kernel: Promise<LeasedKernel> | undefined;

  constructor(start: () => Promise<LeasedKernel>) {
    this.#start = start;
  }

  readonly isRunning: ProcessProbe = async (pid) => {
    let asked: Promise<LeasedKernel> | undefined;
    try {
      asked = this.#kernel ??= this.#start();
      const kernel = await asked;
      let answer = '';
      await kernel.execute(lookFor(pid), {
        onIopub: ({ content }) => (answer += 'text' in content ? (content['text'] as string) : ''),
        silent: true,
        storeHistory: false,
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      return answer.includes('True') ? true : answer.includes('False') ? false : undefined;
    } catch {
      // It may be the one that died; the next question starts another.
      if (this.#kernel === asked) this.#kernel = undefined;
      if (asked !== undefined) await this.#discard(asked);
      return undefined;
    }
  };

  /** Ends its kernel, if it has one; bounded in time, never rejects. */
  async close(): Promise<void> {
    const kernel = this.#kernel;
    this.#kernel = undefined;
    if (kernel !== undefined) await this.#discard(kernel);
  }

  async #discard(kernel: Promise<LeasedKernel>): Promise<void> {
    await kernel.then((it) => it.delete(AbortSignal.timeout(ANSWER_MS))).catch(() => undefined);
  }
}
