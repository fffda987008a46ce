/** Where kernels live: the REST half of a lab, implemented by the lab room. Every call is bounded in time by it. */
export interface KernelHost {
  /** GET /api/kernelspecs */
  kernelSpecs(signal: AbortSignal): Promise<{ default: string; names: string[] }>;

  /**
   * POST /api/sessions with type `console` (never `notebook`: jupyter-server-documents treats those as documents).
   *
   * @param path names the session; a second call with the same path returns the same session
   */
  startSession(
    kernelName: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ sessionId: string; kernelId: string }>;

  /** PATCH /api/sessions/{id}: another path for the session, its kernel stays. 404 is no error. */
  renameSession(sessionId: string, path: string, signal: AbortSignal): Promise<void>;

  /**
   * DELETE /api/sessions/{id}; ends the kernel too. 404 (gone already) is no error; anything else must reject, a 500
   * above all, as the caller then tries again.
   */
  deleteSession(sessionId: string, signal: AbortSignal): Promise<void>;

  /** POST /api/kernels/{id}/interrupt */
  interruptKernel(kernelId: string, signal: AbortSignal): Promise<void>;

  /**
   * Where to open the kernel's websocket: `…/api/kernels/{id}/channels?session_id=…` and the headers that let us in
   * (fresh cookies, `Sec-Fetch-Mode: websocket`, the Origin and the User-Agent of the login).
   *
   * @param clientSessionId the `session` of our messages: the server buffers for it while we are away
   */
  channels(
    kernelId: string,
    clientSessionId: string,
  ): Promise<{ url: string; headers: Record<string, string> }>;
}
