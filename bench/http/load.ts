import autocannon from 'autocannon';

export interface Call {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body?: string;
}

export interface Load {
  connections: number;
  /** How long, or how many; each connection sends its next request when the last one is answered. */
  for: { seconds: number } | { requests: number; perSecond: number };
}

/** What a server did under a load; times in milliseconds. */
export interface Outcome {
  perSecond: number;
  p99: number;
  /** how often each status was answered */
  statuses: Record<string, number>;
  /** requests without an answer */
  failed: number;
}

/** @param calls sent in turn by each connection */
export async function load(url: string, calls: Call[], { connections, for: bound }: Load): Promise<Outcome> {
  const result = await autocannon({
    url,
    connections,
    requests: calls,
    ...('seconds' in bound
      ? { duration: bound.seconds }
      : { amount: bound.requests, overallRate: bound.perSecond }),
    timeout: 30,
  });
  const statuses = Object.entries(result.statusCodeStats ?? {}).map(([status, { count = 0 }]) => [
    status,
    count,
  ]);
  const answered = statuses.reduce((sum, [, count]) => sum + Number(count), 0);
  return {
    perSecond: answered / result.duration,
    p99: result.latency.p99,
    statuses: Object.fromEntries(statuses) as Record<string, number>,
    failed: result.errors,
  };
}
