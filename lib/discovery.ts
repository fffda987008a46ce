import { z } from 'zod';

/** What the Repertoire document must hold for us; everything else in it is of no interest and may change. */
const discoverySchema = z.object({
  services: z.object({
    internal: z.object({ gafaelfawr: z.object({ versions: z.object({ v1: z.object({ url: z.url() }) }) }) }),
    ui: z.object({ nublado: z.object({ url: z.url() }) }),
  }),
});

/** Where the platform's services are; URLs without a trailing slash. */
export interface PlatformUrls {
  /** base of Gafaelfawr's v1 API, for example https://data.example.org/auth/api/v1 */
  readonly gafaelfawrUrl: string;
  /** base of Nublado, the part before /hub and /user, for example https://data.example.org/nb */
  readonly hubUrl: string;
}

/** The discovery document could not be read, or does not name what we need. */
export class DiscoveryError extends Error {
  override readonly name = 'DiscoveryError';
}

/**
 * Asks Repertoire, the platform's service discovery, where Gafaelfawr and Nublado are.
 *
 * @param repertoireBaseUrl value of REPERTOIRE_BASE_URL, with or without a trailing slash
 * @param signal ends the call early; it ends by itself after `timeoutMs`
 * @throws DiscoveryError with a message that names the URL and what is missing there
 */
export async function discover(
  repertoireBaseUrl: string,
  signal: AbortSignal,
  timeoutMs = 10_000,
): Promise<PlatformUrls> {
  const url = `${withoutSlash(repertoireBaseUrl)}/discovery`;
  const document = await readDocument(url, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])).catch(
    (error: unknown) => {
      signal.throwIfAborted();
      if (error instanceof DiscoveryError) throw error;
      throw new DiscoveryError(
        `Service discovery at ${url} cannot be reached: check REPERTOIRE_BASE_URL and the network policy.`,
        { cause: error },
      );
    },
  );
  const parsed = discoverySchema.safeParse(document);
  if (!parsed.success) {
    const missing = parsed.error.issues.map((issue) => issue.path.join('.') || '(the document)').join(', ');
    throw new DiscoveryError(
      `Service discovery at ${url} does not name ${missing}: is that service deployed here?`,
    );
  }
  const { internal, ui } = parsed.data.services;
  return {
    gafaelfawrUrl: withoutSlash(internal.gafaelfawr.versions.v1.url),
    hubUrl: withoutSlash(ui.nublado.url),
  };
}

async function readDocument(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, { signal, headers: { accept: 'application/json' } });
  if (!response.ok) {
    await response.body?.cancel();
    throw new DiscoveryError(
      `Service discovery at ${url} answers ${response.status}: check REPERTOIRE_BASE_URL.`,
    );
  }
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new DiscoveryError(`Service discovery at ${url} does not answer JSON: check REPERTOIRE_BASE_URL.`);
  }
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
