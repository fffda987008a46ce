import { describe, expect, test, vi } from 'vitest';
import { GiveBackError } from '../../../workers/executor/jobs/errors.ts';
import { OutputLostError, SocketClosedError } from '../../../workers/executor/kernel/kernel-error.ts';
import { JupyterResponseError, LabUnusableError } from '../../../workers/executor/lab/errors.ts';
import { LabWatch } from '../../../workers/executor/lab-watch.ts';
import { silentLog } from '../../support/log.ts';

const badGateway = () =>
  new LabUnusableError('gone', 'no answer', new JupyterResponseError('GET', '/user/bot/api/status', 502));
const stopped = () =>
  new LabUnusableError('gone', 'stopped', new JupyterResponseError('GET', '/user/bot/api/status', 424));
const restarted = () => new LabUnusableError('gone', 'The lab was restarted under us');
const refused = () => new LabUnusableError('unauthorized', 'refuses us');
const noKernel = new GiveBackError('The lab gave no kernel');

/** A lab that answers each check with the next of these: an error, or that it is well. */
function watching(...answers: (Error | undefined)[]) {
  const verify = vi.fn(async () => {
    const answer = answers.shift();
    if (answer) throw answer;
  });
  const timings = { patienceMs: 100, againMs: 1, checkTimeoutMs: 1_000 };
  return { verify, watch: new LabWatch(verify, silentLog(), timings) };
}

describe('a lab', () => {
  test('that is out of reach for a while is kept', async () => {
    const { verify, watch } = watching(badGateway(), badGateway(), badGateway());
    await watch.check();
    expect(verify).toHaveBeenCalledTimes(4);
    expect(watch.lost.aborted).toBe(false);
  });

  test('that stays out of reach is given up when patience is at its end', async () => {
    const verify = vi.fn(() => Promise.reject(badGateway()));
    const watch = new LabWatch(verify, silentLog(), { patienceMs: 30, againMs: 1, checkTimeoutMs: 1_000 });
    await watch.check();
    expect(watch.lost.aborted).toBe(true);
    expect(verify.mock.calls.length).toBeGreaterThan(1);
  });

  test.each([
    ['is not running any more', stopped()],
    ['was replaced by another', restarted()],
    ['refuses our token', refused()],
  ])('that %s is given up at once', async (_, error) => {
    const { verify, watch } = watching(error);
    await watch.check();
    expect(watch.lost.reason).toBe(error);
    expect(verify).toHaveBeenCalledOnce();
  });

  test('that says it is well but fails three jobs in a row is given up', async () => {
    const { watch } = watching();
    await watch.failed(noKernel);
    await watch.failed(noKernel);
    expect(watch.lost.aborted).toBe(false);
    await watch.failed(noKernel);
    expect(watch.lost.aborted).toBe(true);
  });

  test('that fails a job now and then is kept', async () => {
    const { watch } = watching();
    for (let round = 0; round < 5; round++) {
      await watch.failed(noKernel);
      await watch.failed(noKernel);
      watch.worked();
    }
    expect(watch.lost.aborted).toBe(false);
  });

  test.each([new OutputLostError(), new SocketClosedError(1006, '')])(
    'whose connections were cut is kept when it is well: %s',
    async (cause) => {
      const { verify, watch } = watching();
      const cut = new GiveBackError('The connection to the kernel failed', { cause });
      await Promise.all([watch.failed(cut), watch.failed(cut), watch.failed(cut), watch.failed(cut)]);
      expect(verify).toHaveBeenCalledOnce();
      await watch.failed(noKernel);
      expect(watch.lost.aborted).toBe(false);
    },
  );

  test('whose connections were cut is given up when it is not there any more', async () => {
    const gone = stopped();
    const { watch } = watching(gone);
    await watch.failed(new GiveBackError('cut', { cause: new SocketClosedError(1006, '') }));
    expect(watch.lost.reason).toBe(gone);
  });

  test('is asked once for all who want to know at the same time', async () => {
    const { verify, watch } = watching();
    await Promise.all([watch.check(), watch.check(), watch.failed(noKernel)]);
    expect(verify).toHaveBeenCalledOnce();
  });

  test('that has served is not asked any more, and not lost either', async () => {
    const verify = vi.fn(() => Promise.reject(badGateway()));
    const timings = { patienceMs: 60_000, againMs: 60_000, checkTimeoutMs: 1_000 };
    const watch = new LabWatch(verify, silentLog(), timings);
    const checked = watch.check();
    await vi.waitFor(() => expect(verify).toHaveBeenCalledOnce());
    watch.close();
    await checked;
    expect(verify).toHaveBeenCalledOnce();
    expect(watch.lost.aborted).toBe(false);
  });
});
