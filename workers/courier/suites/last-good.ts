import type { GoodRuns } from '../../../lib/queue/good-runs.ts';
import { UnreadableError, type LastGood } from '../../../suite/keep-executed.ts';
import { RetryLaterError } from '../errors.ts';

/** Of zlib: what is stored is no frame of zstd, or a part of one. */
const DAMAGED = /^Z(STD)?_|^ERR_BUFFER_TOO_LARGE$/;

/**
 * Reads what the notebooks put out when they passed last. While Redis does not answer nothing may pass: its outputs would be taken
 * for good ones.
 *
 * @returns what throws {@link UnreadableError} for what is damaged, {@link RetryLaterError} for Redis
 */
export const lastGoodOf =
  (good: Pick<GoodRuns, 'read'>): LastGood =>
  async ({ name }) => {
    try {
      return await good.read(name);
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      if (DAMAGED.test(code)) throw new UnreadableError(message, { cause: error });
      throw new RetryLaterError('The last good runs cannot be read now', { cause: error });
    }
  };
