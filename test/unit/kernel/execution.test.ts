import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { ConnectionBench } from '../../support/connection-bench.ts';
import { finish } from '../../support/fake-kernel-server.ts';

const bench = new ConnectionBench();
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const ERRORS = 2_000;

/** Which errors are still held by somebody. */
function counter() {
  const seen: WeakRef<object>[] = [];
  const onIopub = ({ header, content }: { header: { msg_type: string }; content: object }) => {
    if (header.msg_type === 'error') seen.push(new WeakRef(content));
  };
  const held = () => (collectGarbage(), seen.filter((ref) => ref.deref() !== undefined).length);
  return { seen, onIopub, held };
}

test('a cell that shows errors without end keeps the last one, and nothing once it is over', async () => {
  const { seen, onIopub, held } = counter();
  let end = () => undefined as void;
  bench.server.onExecute = (kernel, request) => {
    for (let n = 0; n < ERRORS; n++) {
      kernel.send('iopub', 'error', { ename: 'E', evalue: String(n), traceback: [] }, request);
    }
    end = () => finish(kernel, request);
  };
  await bench.ready();
  const running = bench.connection.execute('', { onIopub });
  await vi.waitFor(() => expect(seen).toHaveLength(ERRORS), 5_000);
  await vi.waitFor(() => expect(held()).toBeLessThan(10));
  end();
  await running;
  await vi.waitFor(() => expect(held()).toBe(0));
});
