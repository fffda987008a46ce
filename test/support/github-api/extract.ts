/**
 * Makes `published.json`, what GitHub publishes of the operations that the courier asks for: schemas and recorded examples, out of
 * `@octokit/openapi` (MIT). As a whole the package has 385 MB, which nobody should have to install for that:
 *
 *     npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-*.tgz
 *     node test/support/github-api/extract.ts package
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const JSON_TYPE = 'application/json';
const ROUTES = [
  'POST /app/installations/{installation_id}/access_tokens',
  'GET /repos/{owner}/{repo}/installation',
  'GET /repos/{owner}/{repo}',
  'GET /repos/{owner}/{repo}/contents/{path}',
  'GET /repos/{owner}/{repo}/commits/{ref}',
  'GET /repos/{owner}/{repo}/commits/{ref}/check-runs',
  'POST /repos/{owner}/{repo}/check-runs',
  'GET /repos/{owner}/{repo}/check-runs/{check_run_id}',
  'PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}',
];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Schema = Record<string, Json>;
interface Content {
  schema: Schema;
  examples?: Record<string, { $ref?: string; value?: Json }>;
}
interface Operation {
  requestBody?: { content: Record<string, Content> };
  responses: Record<string, { content?: Record<string, Content> }>;
}

const dir = process.argv[2] ?? 'package';
const read = (path: string) => JSON.parse(readFileSync(join(dir, path), 'utf8'));
const description = read('generated/api.github.com.json') as {
  paths: Record<string, Record<string, Operation>>;
};
const { name, version, license } = read('package.json') as Record<string, string>;
const schemas: Record<string, Json> = {};

function resolved(ref: string): Json {
  const parts = ref.replace('#/', '').split('/');
  return parts.reduce<Json>(
    (value, part) => (value as Record<string, Json>)[part] ?? null,
    description as never,
  );
}

/** Keywords whose value is a schema, a list, or a record of them. */
const OF_SCHEMA = new Set(['items', 'additionalProperties', 'not']);
const OF_LIST = new Set(['allOf', 'anyOf', 'oneOf']);
/** Those that say what is valid. */
const KEPT = /^(?:type|enum|format|pattern|required|(?:min|max)(?:imum|Length|Items|Properties))$/;

/** As JSON Schema has it, without what is for readers; OpenAPI 3.0 has a word of its own for what may be null. */
function plain(schema: Schema): Schema {
  const { $ref, nullable } = schema;
  const kept: Schema = {};
  if (typeof $ref === 'string') {
    const known = $ref.split('/').at(-1) as string;
    if (!(known in schemas)) {
      // Before it is gone through, for it may come to itself.
      schemas[known] = {};
      schemas[known] = plain(resolved($ref) as Schema);
    }
    kept['$ref'] = `#/schemas/${known}`;
  }
  for (const [key, value] of Object.entries(schema)) {
    if (KEPT.test(key)) kept[key] = value;
    else if (OF_SCHEMA.has(key)) kept[key] = typeof value === 'object' ? plain(value as Schema) : value;
    else if (OF_LIST.has(key)) kept[key] = (value as Schema[]).map(plain);
    else if (key === 'properties')
      kept[key] = Object.fromEntries(
        Object.entries(value as Record<string, Schema>).map(([field, inner]) => [field, plain(inner)]),
      );
  }
  return nullable === true ? { anyOf: [kept, { type: 'null' }] } : kept;
}

function extract(route: string): Json {
  const [method = '', path = ''] = route.split(' ');
  const { requestBody, responses } = description.paths[path]?.[method.toLowerCase()] ?? { responses: {} };
  const [status, answer] = Object.entries(responses).find(([code]) => code.startsWith('2')) ?? [];
  const content = answer?.content?.[JSON_TYPE];
  if (!content) throw new Error(`${route} has no answer of ${JSON_TYPE}`);
  const { schema, examples = {} } = content;
  const values = Object.entries(examples).map(([key, { $ref, value }]) => [
    key,
    $ref === undefined ? value : (resolved($ref) as { value: Json }).value,
  ]);
  const body = requestBody?.content[JSON_TYPE]?.schema;
  return {
    ...(body && { body: plain(body) }),
    status: Number(status),
    answer: plain(schema),
    examples: Object.fromEntries(values),
  };
}

/** One line each, so that differences can be read. */
const lines = (record: Record<string, Json>) =>
  Object.entries(record)
    .map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`)
    .join(',\n');
const operations = Object.fromEntries(ROUTES.map((route) => [route, extract(route)]));
const text = `{"from": "${name} ${version}, ${license}",
"operations": {
${lines(operations)}
},
"schemas": {
${lines(schemas)}
}}
`;
writeFileSync(join(import.meta.dirname, 'published.json'), text);
