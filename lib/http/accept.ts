/** What a caller would like to be answered with: its `Accept` (RFC 9110, 12.5.1). */
import Negotiator from 'negotiator';
import type { ApiRequest } from './handler.ts';

type Headers = Pick<ApiRequest, 'headers'>;

/** Which of these media types is wanted most: the first where the caller does not care; undefined when none is. */
export function preferredType<T extends string>({ headers }: Headers, types: readonly T[]): T | undefined {
  return new Negotiator({ headers }).mediaType([...types]) as T | undefined;
}

/** Whether the caller names this media type itself: for what is sent to none who may not know it. */
export function asksFor({ headers }: Headers, type: string): boolean {
  return headers.accept !== undefined && new Negotiator({ headers }).mediaTypes().includes(type);
}
