/** The examples of the OpenAPI document. */
import type { z } from 'zod';
import type { notebookResponse, postNotebookRequest } from './notebooks-api.ts';

const NOTEBOOK = {
  nbformat: 4,
  nbformat_minor: 5,
  metadata: {},
  cells: [
    {
      cell_type: 'code',
      source: 'visits = 2',
      metadata: { tags: ['parameters'] },
      outputs: [],
      execution_count: null,
    },
    { cell_type: 'code', source: 'print(visits * 21)', metadata: {}, outputs: [], execution_count: null },
  ],
};

const JOB_ID = 'nbexec-5d1f0c9e8b7a4f6e9d3c2b1a0f9e8d7c';

type RequestBody = z.input<ReturnType<typeof postNotebookRequest>>;
type Job = z.output<typeof notebookResponse>;

export const requestExamples: Record<string, { summary: string; value: RequestBody }> = {
  text: {
    summary: 'A notebook as text, as Times Square sends it',
    value: { ipynb: JSON.stringify(NOTEBOOK), kernel_name: 'lsst', enable_retry: false, timeout: 300 },
  },
  parameters: {
    summary: 'A notebook as an object, with parameters and a bound on each cell',
    value: {
      ipynb: NOTEBOOK,
      timeout: '10m',
      cell_timeout: '90s',
      parameters: { visits: 3 },
      priority: 'ci',
    },
  },
  callback: {
    summary: 'A notebook whose end is to be told',
    value: {
      ipynb: NOTEBOOK,
      callback: {
        url: 'https://ci.example.org/hooks/noteburst?run=17',
        secret: 'whsec_bm90IGEgc2VjcmV0LCBidXQgYW4gZXhhbXBsZQ==',
        events: ['job.completed', 'job.failed'],
      },
    },
  },
};

const queued: Job = {
  job_id: JOB_ID,
  kernel_name: 'lsst',
  enqueue_time: '2026-03-01T12:00:00.000Z',
  status: 'queued',
  self_url: `https://data.example.org/noteburst/v1/notebooks/${JOB_ID}`,
  timeout: 300,
  phase: 'queued',
};

const began = { start_time: '2026-03-01T12:00:00.250Z', attempts: 1 };

const ended = { ...queued, ...began, status: 'complete', finish_time: '2026-03-01T12:00:09.500Z' } as const;

export const jobExamples: Record<string, { summary: string; value: Job }> = {
  queued: { summary: 'It waits', value: queued },
  running: {
    summary: 'It runs',
    value: {
      ...queued,
      ...began,
      status: 'in_progress',
      phase: 'running',
      progress: { cells_done: 1, cells_total: 2, current_cell: 1 },
    },
  },
  complete: {
    summary: 'It ran to its end',
    value: { ...ended, success: true, ipynb: JSON.stringify(NOTEBOOK), phase: 'completed' },
  },
  told: {
    summary: 'It ran to its end, which its callback was told of',
    value: {
      ...ended,
      success: true,
      ipynb: JSON.stringify(NOTEBOOK),
      phase: 'completed',
      callback: {
        url: 'https://ci.example.org/hooks/noteburst',
        events: ['job.completed', 'job.failed'],
        state: 'delivered',
        attempts: 1,
        last_attempt_time: '2026-03-01T12:00:10.100Z',
        last_status: 204,
      },
    },
  },
  raised: {
    summary: 'The notebook raised: a success of the service, with what was executed until then',
    value: {
      ...ended,
      success: true,
      ipynb: JSON.stringify(NOTEBOOK),
      ipynb_error: { name: 'ZeroDivisionError', message: 'division by zero' },
      phase: 'completed',
    },
  },
  timeout: {
    summary: 'It was too slow',
    value: {
      ...ended,
      success: false,
      error: {
        code: 'timeout',
        reason: 'run_timeout',
        message: 'The notebook did not end within 300 s',
        cell_index: 1,
      },
      partial_ipynb: JSON.stringify(NOTEBOOK),
      phase: 'failed',
    },
  },
};

export const eventsExample = [
  'retry: 1000',
  '',
  'id: 1772366400250-0',
  'event: cell_started',
  'data: {"cell_index":1,"cells_done":1,"cells_total":2}',
  '',
  'id: 1772366400300-0',
  'event: output',
  'data: {"cell_index":1,"output":{"output_type":"stream","name":"stdout","text":"42\\n"}}',
  '',
].join('\n');
