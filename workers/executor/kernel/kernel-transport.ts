import type { KernelError } from './kernel-error.ts';

/** A way to exchange frames with one kernel: `kernel-socket.ts` in earnest. */
export interface KernelTransport {
  /** Queues a frame; lost silently when the transport is closing, which `onClose` reports. */
  send(frame: Uint8Array): void;
  /** Closes within a bounded time; never rejects. `onClose` is not called for a close we asked for. */
  close(): Promise<void>;
}

export interface TransportHandlers {
  onFrame(frame: Uint8Array): void;
  /** The other side, or the network, closed it. Called once at most. */
  onClose(error: KernelError): void;
}

/** Opens a transport; rejects with KernelUnreachableError. */
export type OpenTransport = (handlers: TransportHandlers, signal: AbortSignal) => Promise<KernelTransport>;
