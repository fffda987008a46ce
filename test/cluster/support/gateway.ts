import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { NAMESPACE } from './kubernetes.ts';

/** A request to a function as the ingress passes it on; fetch does not let anybody say a host. */
export async function throughGateway(
  gateway: string,
  program: string,
  path: string,
  { method, headers, body }: { method: string; headers: Record<string, string>; body: string },
): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const host = `${program}.${NAMESPACE}.svc.cluster.local`;
  const signal = AbortSignal.timeout(60_000);
  const sent = request(`${gateway}${path}`, { method, headers: { ...headers, host }, signal }, (response) => {
    text(response).then((answer) => resolve({ status: response.statusCode ?? 0, text: answer }), reject);
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}
