/** The operations of the OpenAPI document, by path. */
import { getNotebookQuery, listNotebooksQuery } from './notebooks-api.ts';
import { errorRefs, headerRefs, type HeaderName } from './openapi-components.ts';
import type { Operation, Parameter, Paths, Response } from './openapi-document.ts';
import { eventsExample, jobExamples, requestExamples } from './openapi-examples.ts';
import { queryParameters, schemaRef } from './openapi-schemas.ts';

const jobId: Parameter = {
  name: 'job_id',
  in: 'path',
  required: true,
  description: 'The `job_id` that the submission was answered with.',
  schema: { type: 'string' },
};

const prefer: Parameter = {
  name: 'Prefer',
  in: 'header',
  description:
    '(new) `wait=N`: answer as soon as the job ends, or after N seconds (at most 25) as it is then (RFC 7240). ' +
    'What cannot be granted is passed over.',
  schema: { type: 'string', examples: ['wait=20'] },
};

const ifNoneMatch: Parameter = {
  name: 'If-None-Match',
  in: 'header',
  description: '(new) The `ETag` of an earlier answer: 304 when it would be the same.',
  schema: { type: 'string' },
};

const ifNoneMatchAnswer = {
  '304': { description: 'As before.', headers: headerRefs('ETag', 'Retry-After') },
};

function jobAnswer(description: string, examples: string[], ...headers: HeaderName[]): Response {
  return {
    description,
    headers: headerRefs(...headers),
    content: {
      'application/json': {
        schema: schemaRef('NotebookResponse'),
        examples: Object.fromEntries(Object.entries(jobExamples).filter(([name]) => examples.includes(name))),
      },
    },
  };
}

const html = { 'text/html': { schema: { type: 'string' } } };

const ENDED = ['complete', 'raised', 'timeout'];

const submit: Operation = {
  operationId: 'post_nbexec',
  tags: ['v1'],
  summary: 'Submit a notebook for execution',
  description:
    'The answer comes once the notebook and its job are stored: what was answered with 202 is not lost. ' +
    'The job is read at the URL in `Location`, which is also the `self_url` of the body. The path works without its ' +
    'last slash, too. Bodies up to 32 MB are taken, also with `Content-Encoding: gzip` or `deflate`.',
  parameters: [
    prefer,
    {
      name: 'Idempotency-Key',
      in: 'header',
      description:
        '(new) Visible ASCII characters of your choice: a second request with them is answered with the first one’s job, ' +
        'so that a submission may be repeated when its answer was lost. 422 when it is another submission.',
      schema: { type: 'string', pattern: '^[!-~]{1,255}$' },
    },
  ],
  requestBody: {
    required: true,
    content: { 'application/json': { schema: schemaRef('PostNotebookRequest'), examples: requestExamples } },
  },
  responses: {
    '200': jobAnswer(
      '(new) With `Prefer: wait` only: the job ended in time.',
      ENDED,
      'Location',
      'Preference-Applied',
    ),
    '202': jobAnswer('The job was accepted.', ['queued'], 'Location', 'Retry-After', 'Preference-Applied'),
    ...errorRefs(400, 401, 403, 409, 411, 413, 415, 422, 429, 503),
  },
};

const list: Operation = {
  operationId: 'get_nbexec_jobs',
  tags: ['v1'],
  summary: 'List your own jobs (new)',
  description: 'Newest first, a page at a time, without their notebooks.',
  parameters: queryParameters(listNotebooksQuery),
  responses: {
    '200': {
      description: 'A page of jobs.',
      headers: headerRefs('Link'),
      content: {
        'application/json': {
          schema: schemaRef('NotebookListResponse'),
          examples: { page: { value: { jobs: [jobExamples['queued']?.value] } } },
        },
      },
    },
    ...errorRefs(400, 401, 403, 422, 503),
  },
};

const readAnswer = jobAnswer(
  'The job as it is.',
  Object.keys(jobExamples),
  'Retry-After',
  'Preference-Applied',
  'ETag',
);

const read: Operation = {
  operationId: 'get_nbexec_job',
  tags: ['v1'],
  summary: 'Get information about a notebook execution job',
  description:
    'The job, and its result once `status` is complete. A notebook that raises is `success` true with `ipynb_error`; ' +
    '`success` false with `error` is for what is not the notebook’s own exception. Only who submitted a job can read it. ' +
    '(new) With `Accept: text/html` a page to look at.',
  parameters: [jobId, ...queryParameters(getNotebookQuery), prefer, ifNoneMatch],
  responses: {
    '200': { ...readAnswer, content: { ...readAnswer.content, ...html } },
    ...ifNoneMatchAnswer,
    ...errorRefs(400, 401, 403, 404, 422, 503),
  },
};

const cancel: Operation = {
  operationId: 'cancel_nbexec_job',
  tags: ['v1'],
  summary: 'Cancel a job (new)',
  description:
    'A cancelled job has `status` complete, `phase` aborted, `success` false and `error.reason` cancelled, and keeps what ' +
    'was done until then. One that had ended stays as it was; cancelling again is harmless.',
  parameters: [jobId],
  responses: {
    '200': jobAnswer('The job has ended.', ENDED),
    '202': jobAnswer('The job ends within a second, or a few.', ['running'], 'Retry-After'),
    ...errorRefs(400, 401, 403, 404, 503),
  },
};

const events: Operation = {
  operationId: 'get_nbexec_events',
  tags: ['v1'],
  summary: 'Follow a job as it happens (new)',
  description:
    'Server-Sent Events: what was before, then what comes, until `job_ended`. The event’s name is `type` in the schema ' +
    'LiveEvent, its data the other fields. A comment comes every 15 s; after some minutes the connection is closed, and ' +
    '`Last-Event-ID` goes on where it was.',
  parameters: [
    jobId,
    {
      name: 'Last-Event-ID',
      in: 'header',
      description: 'The id of the last event that you have.',
      schema: { type: 'string', examples: ['1772366400250-0'] },
    },
  ],
  responses: {
    '200': {
      description: 'The events.',
      content: {
        'text/event-stream': {
          schema: schemaRef('ServerSentEvent'),
          examples: { events: { value: eventsExample } },
        },
      },
    },
    '204': { description: 'There is nothing after this event.' },
    ...errorRefs(400, 401, 403, 404, 422, 503),
  },
};

const download: Operation = {
  operationId: 'get_nbexec_ipynb',
  tags: ['v1'],
  summary: 'Download the executed notebook (new)',
  description:
    'The notebook as a file, or as far as it came when the run had no success. 404 as long as there is none.',
  parameters: [jobId, ifNoneMatch],
  responses: {
    '200': {
      description: 'The notebook.',
      headers: headerRefs('ETag'),
      content: { 'application/x-ipynb+json': { schema: schemaRef('Notebook') } },
    },
    ...ifNoneMatchAnswer,
    ...errorRefs(400, 401, 403, 404, 503),
  },
};

const view: Operation = {
  operationId: 'get_nbexec_view',
  tags: ['v1'],
  summary: 'Look at the notebook (new)',
  description:
    'The notebook as it is now, as a sandboxed HTML document; the page of a job shows it in a frame.',
  parameters: [jobId, ifNoneMatch],
  responses: {
    '200': { description: 'The notebook.', headers: headerRefs('ETag'), content: html },
    ...ifNoneMatchAnswer,
    ...errorRefs(400, 401, 403, 404, 503),
  },
};

/** @param notebooks the collection's path, with the slash at its end */
export const jobPaths = (notebooks: string): Paths => ({
  [notebooks]: { post: submit, get: list },
  [`${notebooks}{job_id}`]: { get: read, delete: cancel },
  [`${notebooks}{job_id}/events`]: { get: events },
  [`${notebooks}{job_id}/ipynb`]: { get: download },
  [`${notebooks}{job_id}/view`]: { get: view },
});

const ofService = (
  operationId: string,
  summary: string,
  content: NonNullable<Response['content']>,
): Operation => ({
  operationId,
  tags: ['service'],
  summary,
  description: summary,
  responses: { '200': { description: summary, content }, ...errorRefs(400, 401, 403) },
});

const json = (schema: string) => ({ 'application/json': { schema: schemaRef(schema) } });

const metadata = ofService('get_index', 'Application metadata', { ...json('Index'), ...html });

const index: Operation = {
  ...metadata,
  description: '(new) With `Accept: text/html` a page with the caller’s recent jobs.',
  responses: { ...metadata.responses, ...errorRefs(503) },
};

export const servicePaths = (prefix: string): Paths => ({
  // Below the ingress, where nobody has to say who they are.
  '/': { get: { ...ofService('get_metadata', 'Who answers', json('Metadata')), security: [] } },
  [`${prefix}/`]: { get: index },
  [`${prefix}/openapi.json`]: {
    get: ofService('get_openapi', 'This document', { 'application/json': { schema: { type: 'object' } } }),
  },
  [`${prefix}/docs`]: { get: ofService('get_docs', 'This document as a page', html) },
});
