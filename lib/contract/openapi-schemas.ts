/** The JSON Schemas of the wire, made from the zod schemas that check it. */
import { z } from 'zod';
import { callbackRecord } from './callback.ts';
import { executionError, notebookError } from './execution-error.ts';
import { liveEvent } from './live-event.ts';
import { jobEnvironment, jobProgress } from './nbexec-job.ts';
import { notebookSchema } from './nbformat.ts';
import { notebookListResponse, notebookResponse, postNotebookRequest } from './notebooks-api.ts';
import type { Pools } from './pool.ts';

/** JSON Schema 2020-12, as far as OpenAPI 3.1 and its readers here look into it. */
export interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  format?: string;
  [keyword: string]: unknown;
}

export const schemaRef = (name: string): { $ref: string } => ({ $ref: `#/components/schemas/${name}` });

function jsonSchemas(schemas: Record<string, z.ZodType>, io: 'input' | 'output'): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const all = z.toJSONSchema(registry, {
    io,
    unrepresentable: 'any',
    uri: (id) => schemaRef(id).$ref,
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      // zod leaves it out where the input is transformed.
      if (def.type === 'default') jsonSchema.default = def.defaultValue;
      simplify(jsonSchema as JsonSchema);
    },
  });
  const made = Object.entries(all['schemas'] as Record<string, JsonSchema>);
  // The document says for all of them which dialect it is, and where they are.
  const kept = ([keyword]: [string, unknown]) => keyword !== '$schema' && keyword !== '$id';
  return Object.fromEntries(
    made.map(([id, schema]) => [id, Object.fromEntries(Object.entries(schema).filter(kept))]),
  );
}

function simplify(schema: JsonSchema): void {
  // The names in a JSON object are strings anyway, and fields that nobody named are passed over, or through.
  delete schema['propertyNames'];
  delete schema['additionalProperties'];
  // The ways to say yes or no that v1 takes beside true and false are for its old clients, not for new ones.
  if (schema.anyOf?.[0]?.type === 'boolean') {
    schema.type = schema.anyOf.some(({ type }) => type === 'null') ? ['boolean', 'null'] : 'boolean';
    delete schema.anyOf;
  }
  if (schema.anyOf) schema.anyOf = schema.anyOf.flatMap((choice) => choice.anyOf ?? [choice]);
  if (schema.format === 'date-time') delete schema['pattern'];
  // JavaScript's bounds, not the contract's.
  if (schema['minimum'] === Number.MIN_SAFE_INTEGER) delete schema['minimum'];
  if (schema['maximum'] === Number.MAX_SAFE_INTEGER) delete schema['maximum'];
}

/** What fails is answered with, in FastAPI's form and in RFC 9457's. */
const errorDetail = z.object({
  type: z.string().meta({ description: 'What went wrong, as a word for programs.' }),
  msg: z.string().meta({ description: 'What went wrong, for people.' }),
  loc: z
    .array(z.union([z.string(), z.number()]))
    .optional()
    .meta({ description: 'Where: `body`, `query`, `path` or `header`, then names and indices.' }),
});
const errorModel = z.object({
  detail: z
    .union([z.array(errorDetail), errorDetail])
    .meta({ description: 'A list; one entry alone where the ingress in front of the service answers.' }),
});
const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  instance: z.string().meta({ description: "The request's path." }),
  errors: z.array(errorDetail),
});

/** Of a stream of events, as a reader of them sees it. */
const serverSentEvent = z.object({
  id: z.string().optional().meta({ description: 'For `Last-Event-ID`.' }),
  event: z
    .enum(liveEvent.options.map(({ shape }) => shape.type.value))
    .optional()
    .meta({ description: 'The `type` of a LiveEvent.' }),
  data: z
    .string()
    .optional()
    .meta({ contentMediaType: 'application/json', description: 'The other fields of the LiveEvent.' }),
  retry: z.number().int().optional().meta({ description: 'Milliseconds before one should come again.' }),
});

const serviceMetadata = z.object({
  name: z.string(),
  version: z.string(),
  description: z.string(),
  repository_url: z.string(),
  documentation_url: z.string(),
});

/** Null is absent. Not each size goes with each image: the answer to those says so. */
const oneOfThese = (names: string[]): JsonSchema[] => [
  { type: 'string', enum: [...new Set(names)] },
  { type: 'null' },
];

/**
 * Every named schema of the document.
 *
 * @param maxTimeoutSeconds the longest run that the service is configured to allow
 * @param pools the images and sizes that it has
 */
export function componentSchemas(maxTimeoutSeconds: number, pools: Pools): Record<string, JsonSchema> {
  const requests = jsonSchemas(
    { PostNotebookRequest: postNotebookRequest(maxTimeoutSeconds), Notebook: notebookSchema },
    'input',
  );
  const notebook = schemaRef('Notebook');
  const { ipynb, image, size } = requests['PostNotebookRequest']?.properties ?? {};
  if (image) image.anyOf = oneOfThese(pools.map((pool) => pool.image));
  if (size) size.anyOf = oneOfThese(pools.map((pool) => pool.size));
  // What the transformation behind the union checks, zod cannot tell.
  if (ipynb) {
    delete ipynb.type;
    ipynb.anyOf = [
      { type: 'string', contentMediaType: 'application/x-ipynb+json', contentSchema: notebook },
      notebook,
    ];
  }
  const answers = jsonSchemas(
    {
      NotebookResponse: notebookResponse,
      NotebookListResponse: notebookListResponse,
      NotebookError: notebookError,
      NoteburstExecutionError: executionError,
      CallbackRecord: callbackRecord,
      JobProgress: jobProgress,
      JobEnvironment: jobEnvironment,
      LiveEvent: liveEvent,
      ServerSentEvent: serverSentEvent,
      ErrorDetail: errorDetail,
      ErrorModel: errorModel,
      Problem: problem,
      Metadata: serviceMetadata,
      Index: z.object({ metadata: serviceMetadata }),
    },
    'output',
  );
  return { ...requests, ...answers };
}

/** The parameters of a query, one for each of its names. */
export function queryParameters(query: z.ZodType): QueryParameter[] {
  const { properties = {}, required = [] } = jsonSchemas({ Query: query }, 'input')['Query'] ?? {};
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }));
}
export interface QueryParameter {
  name: string;
  in: 'query';
  required: boolean;
  description?: string;
  schema: JsonSchema;
}
