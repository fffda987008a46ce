import type { Pools } from '../../../lib/contract/pool.ts';
import type { ApiReply } from '../../../lib/http/handler.ts';
import { serviceMetadata } from '../../../lib/http/metadata.ts';
import type { Route } from '../../../lib/http/routes.ts';

export interface DocsParts {
  pathPrefix: string;
  maxTimeoutSeconds: number;
  pools: Pools;
}

/**
 * The API's own description, for programs and for people. Nothing of it is a secret: whoever gets here is not asked who
 * they are.
 */
export function docsRoutes(parts: DocsParts): Route[] {
  const { pathPrefix } = parts;
  const documentPath = `${pathPrefix}/openapi.json`;
  let made: Promise<Record<'json' | 'page', ApiReply>> | undefined;
  // At the first request, not at the start: most processes are never asked.
  const docs = () => (made ??= make(documentPath, parts));
  return [
    { method: 'GET', path: documentPath, handle: async () => (await docs()).json },
    { method: 'GET', path: `${pathPrefix}/docs`, handle: async () => (await docs()).page },
  ];
}

async function make(documentPath: string, { pathPrefix, maxTimeoutSeconds, pools }: DocsParts) {
  const [{ openApiDocument }, { referencePage }] = await Promise.all([
    import('../../../lib/contract/openapi.ts'),
    import('./page.ts'),
  ]);
  const document = openApiDocument({
    pathPrefix,
    maxTimeoutSeconds,
    pools,
    version: serviceMetadata.version,
  });
  const content = JSON.stringify(document, undefined, 2);
  return {
    json: { status: 200, body: { type: 'application/json', content } },
    page: referencePage(document, documentPath),
  };
}
