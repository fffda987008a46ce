/** What can go wrong between us and a kernel; the codes are stable and go into logs and results. */
export type KernelErrorCode =
  | 'kernel_died'
  | 'kernel_unreachable'
  | 'socket_closed'
  | 'unknown_kernel'
  | 'cell_too_large'
  | 'kernel_timeout'
  | 'malformed_message'
  | 'pool_closed'
  | 'output_lost'
  | 'message_too_large';

/** Base of every error this folder throws: `code` tells them apart across module and process borders. */
export class KernelError extends Error {
  readonly code: KernelErrorCode;

  constructor(code: KernelErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The kernel's process ended or was restarted under us: whatever it had in memory is gone. */
export class KernelDiedError extends KernelError {
  constructor(evidence: string) {
    super('kernel_died', `The kernel died: ${evidence}`);
  }
}

/** The websocket could not be opened. `statusCode` is the HTTP answer to the handshake, when there was one. */
export class KernelUnreachableError extends KernelError {
  readonly statusCode: number | undefined;

  constructor(message: string, options: ErrorOptions & { statusCode?: number } = {}) {
    super('kernel_unreachable', message, options);
    this.statusCode = options.statusCode;
  }
}

/** An open websocket closed while it was needed. The kernel may well be alive behind it. */
export class SocketClosedError extends KernelError {
  readonly closeCode: number;

  constructor(closeCode: number, reason: string, options?: ErrorOptions) {
    const detail = reason === '' ? '' : `, ${reason}`;
    super('socket_closed', `The kernel's websocket closed (code ${closeCode}${detail})`, options);
    this.closeCode = closeCode;
  }
}

/**
 * The websocket was cut and is back, and what the cell put out meanwhile is not known in full. The kernel lives; the
 * notebook has to be run anew, for nobody can tell what is missing.
 */
export class OutputLostError extends KernelError {
  constructor() {
    super('output_lost', 'Output was lost with the websocket to the kernel');
  }
}

/** The lab has no such kernel; the message lists those it has. */
export class UnknownKernelError extends KernelError {
  readonly available: readonly string[];

  constructor(kernelName: string, available: readonly string[]) {
    const list = available.length === 0 ? 'none' : available.join(', ');
    super('unknown_kernel', `The lab has no kernel named "${kernelName}". Available kernels: ${list}`);
    this.available = available;
  }
}

const megabytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

/** The lab's server closes the socket on messages above its limit, so such a cell is never sent. */
export class CellTooLargeError extends KernelError {
  constructor(messageBytes: number, limitBytes: number) {
    super(
      'cell_too_large',
      `The cell is too large to be sent to the kernel: ${megabytes(messageBytes)} MiB, the limit is ${megabytes(limitBytes)} MiB`,
    );
  }
}

/** The kernel sent more in one message than we take; the websocket is closed, and what the cell put out is lost. */
export class MessageTooLargeError extends KernelError {
  constructor(limitBytes: number, options?: ErrorOptions) {
    super('message_too_large', `The kernel sent a message above ${megabytes(limitBytes)} MiB`, options);
  }
}

/** A bounded wait (start, probe, close) ran out. */
export class KernelTimeoutError extends KernelError {
  constructor(what: string, timeoutMs: number) {
    super('kernel_timeout', `${what} within ${timeoutMs / 1000} s`);
  }
}

/** A frame that is not what the v1 subprotocol describes. */
export class MalformedMessageError extends KernelError {
  constructor(message: string, options?: ErrorOptions) {
    super('malformed_message', `Malformed kernel message: ${message}`, options);
  }
}

/** The pool is closing: the lab is on its way out. */
export class PoolClosedError extends KernelError {
  constructor() {
    super('pool_closed', 'The kernel pool is closed');
  }
}
