/** The OpenAPI 3.1 document of both functions' routes (https://spec.openapis.org/oas/v3.1.1.html). */
import { components } from './openapi-components.ts';
import { jobPaths, servicePaths } from './openapi-paths.ts';
import type { OpenApiDocument } from './openapi-document.ts';
import type { Pools } from './pool.ts';

export interface OpenApiOptions {
  /** Where the ingress serves the API, for example /noteburst. */
  pathPrefix: string;
  /** The service's own. */
  version: string;
  /** The longest run that the service is configured to allow. */
  maxTimeoutSeconds: number;
  /** What may be asked for by image and size. */
  pools: Pools;
}

const DESCRIPTION =
  'Runs Jupyter notebooks in the JupyterLabs of the Rubin Science Platform, without anybody at a browser. ' +
  'A notebook is submitted, becomes a job, and its result is read from the URL that the answer gives. ' +
  "Everything of Noteburst's v1 API works as it did; what it did not have is marked with (new). " +
  'Fields without a value are left out, never null; clients should pass over fields that they do not know.';

/** @returns a document of its own for each call; it refers to no other server than the one it comes from */
export function openApiDocument(options: OpenApiOptions): OpenApiDocument {
  return {
    openapi: '3.1.1',
    info: {
      title: 'noteburst',
      version: options.version,
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    tags: [
      { name: 'v1', description: 'Notebooks and their jobs.' },
      { name: 'service', description: 'What the service says of itself.' },
    ],
    security: [{ gafaelfawr: [] }],
    paths: { ...jobPaths(`${options.pathPrefix}/v1/notebooks/`), ...servicePaths(options.pathPrefix) },
    components: components(options.maxTimeoutSeconds, options.pools),
  };
}
