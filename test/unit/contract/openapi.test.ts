import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { notebookResponse, postNotebookRequest } from '../../../lib/contract/notebooks-api.ts';
import { onePool } from '../../support/one-pool.ts';
import { openApiDocument } from '../../../lib/contract/openapi.ts';
import { jobExamples, requestExamples } from '../../../lib/contract/openapi-examples.ts';
import type { JsonSchema } from '../../../lib/contract/openapi-schemas.ts';

const document = openApiDocument({
  pathPrefix: '/noteburst',
  version: '1.2.3',
  maxTimeoutSeconds: 3_600,
  pools: onePool('nbexec'),
});
const { schemas } = document.components;

/** The types that a schema allows, with what it refers to. */
function typesOf(schema: JsonSchema | undefined): string[] {
  if (schema?.$ref !== undefined) return typesOf(schemas[schema.$ref.split('/').at(-1) ?? '']);
  if (schema?.anyOf) return schema.anyOf.flatMap(typesOf);
  return [schema?.type ?? []].flat();
}

test('the document follows the meta-schema of OpenAPI 3.1', async () => {
  const validator = new Validator();
  expect(await validator.validate(structuredClone(document) as unknown as Record<string, unknown>)).toEqual({
    valid: true,
  });
  expect(validator.version).toBe('3.1');
  // A document that is wrong would be found out.
  const wrong = { ...document, paths: { '/a': { get: { responses: { '200': {} } } } } };
  expect(await validator.validate(wrong as unknown as Record<string, unknown>)).toMatchObject({
    valid: false,
  });
});

test('every reference leads somewhere', () => {
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/([\w-]+)"/g)];
  expect(refs.length).toBeGreaterThan(50);
  const sections: Record<string, object> = document.components;
  const lost = refs.filter(([, section = '', name = '']) => !Object.hasOwn(sections[section] ?? {}, name));
  expect(lost.map(([ref]) => ref)).toEqual([]);
});

test('the examples are what the service takes and answers', () => {
  for (const { value } of Object.values(requestExamples))
    expect(postNotebookRequest(3_600).safeParse(value)).toMatchObject({ success: true });
  for (const { value } of Object.values(jobExamples))
    expect(notebookResponse.strict().safeParse(value)).toMatchObject({ success: true });
});

test('every operation and every parameter says what it is', () => {
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    expect(operation.summary).not.toBe('');
    for (const { name, description } of operation.parameters ?? []) expect(description, name).toBeTruthy();
  }
});

describe('what Noteburst 0.27 has keeps its name and type', () => {
  const V1_RESPONSE: Record<string, { type: string; format?: string; enum?: string[] }> = {
    job_id: { type: 'string' },
    kernel_name: { type: 'string' },
    enqueue_time: { type: 'string', format: 'date-time' },
    status: { type: 'string', enum: ['complete', 'deferred', 'in_progress', 'not_found', 'queued'] },
    self_url: { type: 'string', format: 'uri' },
    source: { type: 'string' },
    start_time: { type: 'string', format: 'date-time' },
    finish_time: { type: 'string', format: 'date-time' },
    success: { type: 'boolean' },
    error: { type: 'object' },
    ipynb: { type: 'string' },
    ipynb_error: { type: 'object' },
    timeout: { type: 'number' },
  };
  const properties = (name: string) => schemas[name]?.properties ?? {};

  test.each(Object.entries(V1_RESPONSE))('in answers: %s', (name, { type, ...rest }) => {
    const field = properties('NotebookResponse')[name];
    const found = { ...field, types: typesOf(field), enum: field?.enum?.toSorted() };
    expect(found).toMatchObject({ types: [type], ...rest });
  });

  test('in answers: what is always there', () => {
    const always = ['job_id', 'kernel_name', 'enqueue_time', 'status', 'self_url'];
    expect(schemas['NotebookResponse']?.required).toEqual(expect.arrayContaining(always));
  });

  test('in errors of a run', () => {
    expect(properties('NoteburstExecutionError')['code']?.enum?.toSorted()).toEqual([
      'jupyter_error',
      'timeout',
      'unknown',
    ]);
    for (const name of ['message', 'exception_type'])
      expect(typesOf(properties('NoteburstExecutionError')[name])).toEqual(['string']);
    for (const name of ['name', 'message'])
      expect(typesOf(properties('NotebookError')[name])).toEqual(['string']);
  });

  test('in requests', () => {
    const request = properties('PostNotebookRequest');
    expect(typesOf(request['ipynb']).toSorted()).toEqual(['object', 'string']);
    expect(request['kernel_name']).toMatchObject({ type: 'string', default: 'lsst' });
    expect(typesOf(request['timeout'])).toEqual(expect.arrayContaining(['number', 'string']));
    expect(request['enable_retry']).toMatchObject({ type: 'boolean', default: true });
    expect(schemas['PostNotebookRequest']?.required).toEqual(['ipynb']);
  });

  test('in requests: the images and sizes that there are', () => {
    const { image, size } = document.components.schemas['PostNotebookRequest']?.properties ?? {};
    expect(image?.anyOf).toEqual([{ type: 'string', enum: ['recommended'] }, { type: 'null' }]);
    expect(size?.anyOf).toEqual([{ type: 'string', enum: ['Large'] }, { type: 'null' }]);
  });

  test('in queries and operations', () => {
    const jobs = document.paths['/noteburst/v1/notebooks/{job_id}'];
    const query = jobs?.get?.parameters?.filter((parameter) => parameter.in === 'query');
    expect(query).toMatchObject([
      { name: 'source', required: false, schema: { type: 'boolean', default: false } },
      { name: 'result', required: false, schema: { type: 'boolean', default: true } },
    ]);
    expect(document.paths['/noteburst/v1/notebooks/']?.post?.operationId).toBe('post_nbexec');
    expect(jobs?.get?.operationId).toBe('get_nbexec_job');
  });

  test('in errors, which have FastAPI’s form', () => {
    expect(Object.keys(properties('ErrorDetail')).toSorted()).toEqual(['loc', 'msg', 'type']);
    expect(typesOf(properties('ErrorModel')['detail'])[0]).toBe('array');
  });
});
