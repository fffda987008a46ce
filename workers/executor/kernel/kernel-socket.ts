import { WebSocket } from 'ws';
import { KernelUnreachableError, MessageTooLargeError, SocketClosedError } from './kernel-error.ts';
import type { KernelTransport, TransportHandlers } from './kernel-transport.ts';
import { SUBPROTOCOL } from './websocket-codec.ts';

export interface KernelSocketOptions {
  /** ws(s) URL of a kernel's channels. */
  url: string;
  headers: Record<string, string>;
  /** Largest message taken, in bytes; a bigger one closes the socket with 1009. Taking one needs four times as much. */
  maxMessageBytes?: number;
  handshakeTimeoutMs?: number;
  closeTimeoutMs?: number;
  /** How often the server is pinged; one that sends nothing for three times as long counts as gone. */
  pingIntervalMs?: number;
}

const DEFAULT_MAX_MESSAGE_BYTES = 32 * 2 ** 20;

/** ws's name for a message above `maxPayload`. */
const TOO_LARGE = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';

/**
 * Opens the websocket of a kernel, speaking v1 of the subprotocol or nothing.
 *
 * @throws KernelUnreachableError refused, timed out, another subprotocol, or aborted by the signal
 */
export function openKernelSocket(
  options: KernelSocketOptions,
  handlers: TransportHandlers,
  signal: AbortSignal,
): Promise<KernelTransport> {
  const { promise, resolve, reject } = Promise.withResolvers<KernelTransport>();
  const maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  const socket = new WebSocket(options.url, [SUBPROTOCOL], {
    headers: options.headers,
    perMessageDeflate: false, // compressing on loopback and cluster networks only costs time
    maxPayload: maxMessageBytes,
    handshakeTimeout: options.handshakeTimeoutMs ?? 10_000,
    followRedirects: false,
  });
  let opened = false;
  let lastError: Error | undefined;

  const fail = (message: string, details: ErrorOptions & { statusCode?: number } = {}) => {
    signal.removeEventListener('abort', abort);
    reject(new KernelUnreachableError(message, details));
    socket.terminate();
  };
  const abort = () => fail('Opening the kernel’s websocket was given up', { cause: signal.reason });
  if (signal.aborted) queueMicrotask(abort);
  else signal.addEventListener('abort', abort, { once: true });

  socket.on('unexpected-response', (_request, response) => {
    const statusCode = response.statusCode ?? 0;
    response.destroy();
    fail(`The lab refused the kernel’s websocket with HTTP ${statusCode}`, { statusCode });
  });
  socket.on('error', (error) => {
    lastError = error;
    // ws checks the subprotocol itself: "Server sent no subprotocol" or an invalid one end here.
    if (!opened) fail(`The kernel’s websocket could not be opened: ${error.message}`, { cause: error });
  });
  socket.on('open', () => {
    opened = true;
    signal.removeEventListener('abort', abort);
    endWhenSilent(socket, options.pingIntervalMs ?? 5_000, (error) => (lastError = error));
    resolve(transport);
  });
  socket.on('message', (data, isBinary) => {
    // Tornado leaves Nagle's algorithm on, which holds its next small message back until the last one is
    // acknowledged; our kernel's TCP delays that ACK by up to 44 ms. Any byte we send carries it: so a pong.
    if (socket.readyState === WebSocket.OPEN) socket.pong();
    if (isBinary) handlers.onFrame(data as Buffer);
  });

  let closing = false;
  const closed = new Promise<void>((done) => {
    socket.on('close', (code, reason) => {
      done();
      if (opened && !closing) {
        const cause = lastError === undefined ? {} : { cause: lastError };
        const tooLarge = lastError !== undefined && 'code' in lastError && lastError.code === TOO_LARGE;
        handlers.onClose(
          tooLarge
            ? new MessageTooLargeError(maxMessageBytes, cause)
            : new SocketClosedError(code, reason.toString() || (lastError?.message ?? ''), cause),
        );
      }
    });
  });
  const transport: KernelTransport = {
    send: (frame) => socket.send(frame, () => undefined), // a failed send is followed by 'close'
    close: async () => {
      closing = true;
      const timer = setTimeout(() => socket.terminate(), options.closeTimeoutMs ?? 1_000);
      socket.close(1000);
      await closed;
      clearTimeout(timer);
    },
  };
  return promise;
}

/** A network that swallows packets closes nothing: pings, which every server answers, tell it from a quiet kernel. */
function endWhenSilent(socket: WebSocket, pingIntervalMs: number, onSilence: (error: Error) => void): void {
  let heardAt = performance.now();
  const heard = () => (heardAt = performance.now());
  socket.on('message', heard);
  socket.on('pong', heard);
  let tickedAt = heardAt;
  const timer = setInterval(() => {
    const now = performance.now();
    // We stood still ourselves, and timers come before what arrived meanwhile.
    if (now - tickedAt > 2 * pingIntervalMs) heardAt = now;
    tickedAt = now;
    const silentMs = now - heardAt;
    if (silentMs > 3 * pingIntervalMs) {
      onSilence(new Error(`no sign of the lab for ${Math.round(silentMs / 1000)} s`));
      socket.terminate();
    } else socket.ping();
  }, pingIntervalMs);
  socket.once('close', () => clearInterval(timer));
}
