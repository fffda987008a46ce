/** Validators of answers that clients may keep (RFC 9110, 8.8 and 13.1.2). */
import { hash } from 'node:crypto';
import type { ApiRequest } from './handler.ts';

/**
 * A strong entity tag.
 *
 * @param content everything that tells one answer from another: what is large may be stood for by its name
 */
export const etagOf = (content: unknown): string =>
  `"${hash('sha256', JSON.stringify(content), 'base64url').slice(0, 22)}"`;

/** Whether the caller has this answer already: its `If-None-Match` lists the tag, or `*`. */
export function isKnown(request: Pick<ApiRequest, 'headers'>, etag: string): boolean {
  const sent = request.headers['if-none-match'];
  // Proxies that compress make the tag a weak one; no tag of ours has a comma.
  return sent?.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, ''))) ?? false;
}

/**
 * May be kept by the caller alone, and shown again only after it has been asked for.
 *
 * @param etag undefined when the answer lacks a part that it should have: it is not to be kept
 */
export const revalidated = (etag: string | undefined): Record<string, string> =>
  etag === undefined ? {} : { ETag: etag, 'Cache-Control': 'private, no-cache', Vary: 'Accept' };
