/** `npm run bench:http`: the functions beside servers that do nothing; prints tables, writes docs/performance-http.md. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../../build/bundle.ts';
import { fillCompileCache } from '../../build/compile-cache.ts';
import { ENTRIES } from '../../platform/services/product.ts';
import { goalTable, type Goal } from '../goals.ts';
import { Report } from '../report.ts';
import { coldStarts } from './cold-start.ts';
import { ServerProcess, type Memory, type Program } from '../../build/server-process.ts';
import { BenchService, notebookOf } from './service.ts';
import { checkedLoad, rates, type Contender } from './throughput.ts';

const CALLERS = 50;
const CONNECTIONS = [50, 200];
const NOTEBOOK = notebookOf(20_000);
const LIFTED = { NOTEBURST_MAX_JOBS_PER_CALLER: '1000000' };
const MEMORY_LOAD = { connections: 10, for: { requests: 1_000, perSecond: 500 } };
const BURST = { requests: 1_000, perSecond: 500 };
const [FUNCTION, HTTP] = ['an empty function of the framework', 'an empty server of node:http'];

const dist = mkdtempSync(join(tmpdir(), 'noteburst-bench-'));
try {
  const reference = async (name: string): Promise<Program> => {
    await bundle(name, join(import.meta.dirname, 'reference', `${name}.ts`), dist);
    return { file: join(dist, `${name}.mjs`), env: {}, first: { path: '/' } };
  };
  for (const name of ['submit', 'status'] as const) {
    await bundle(name, ENTRIES[name], dist);
    await fillCompileCache(name, dist);
  }
  const [emptyFunction, emptyHttp] = [await reference('empty-function'), await reference('empty-http')];
  await using service = await BenchService.start(dist, CALLERS);
  const report = new Report('performance-http.md', 'Performance of the HTTP API', 'npm run bench:http');
  const goals: Goal[] = [];

  const jobId = await service.endedJob(NOTEBOOK);
  const poll = service.poll(jobId);
  const starts = await coldStarts(
    new Map([
      ['submit, ready', service.function('submit')],
      ['status, ready', service.function('status')],
      ['status, a job to its owner', { ...service.function('status'), first: poll }],
      [FUNCTION, emptyFunction],
    ]),
  );
  report.table(
    'Cold start: process start to first 2xx, from the bundle with its code cache, Redis connected',
    [...starts].map(([who, times]) => ({ who, times })),
  );
  report.text('The empty function', [
    "It is the framework's own, bundled as ours are, but without a code cache, and each of its requests has a domain.",
  ]);
  for (const [who, { median }] of starts) {
    if (who !== FUNCTION) goals.push([`cold start of ${who}`, median, 250, 'ms']);
  }

  const submissions = service.submissions(NOTEBOOK);
  const tidy = () => service.forgetJobs();
  const submitOn = (server: ServerProcess): Contender => ({
    who: 'submit',
    server,
    calls: submissions,
    status: 202,
    tidy,
  });
  const pollOn = (server: ServerProcess): Contender => ({
    who: 'status',
    server,
    calls: [poll],
    status: 200,
  });
  const memory: [who: string, Memory][] = [];
  for (const [name, contenderOn] of [
    ['submit', submitOn],
    ['status', pollOn],
  ] as const) {
    await using server = await ServerProcess.start(service.function(name, LIFTED));
    await checkedLoad(contenderOn(server), MEMORY_LOAD);
    memory.push([name, await server.memory()]);
  }
  {
    await using server = await ServerProcess.start(emptyFunction);
    await checkedLoad({ ...submitOn(server), status: 200 }, MEMORY_LOAD);
    memory.push([FUNCTION, await server.memory()]);
  }
  report.text('Memory after 1,000 requests: submissions of 20 kB, for status polls of a result of 20 kB', [
    '| | resident, MB | of it anonymous, MB |',
    '| --- | ---: | ---: |',
    ...memory.map(
      ([who, { residentMb, anonymousMb }]) =>
        `| ${who} | ${residentMb.toFixed(0)} | ${anonymousMb.toFixed(0)} |`,
    ),
  ]);
  for (const [who, { residentMb }] of memory) {
    if (who !== FUNCTION) goals.push([`memory of ${who} after 1,000 requests`, residentMb, 90, 'MB']);
  }

  await using submit = await ServerProcess.start(service.function('submit', LIFTED));
  await using status = await ServerProcess.start(service.function('status'));
  await using onFramework = await ServerProcess.start(emptyFunction);
  await using onHttp = await ServerProcess.start(emptyHttp);
  const etag =
    (await fetch(`${status.url}${poll.path}`, { headers: poll.headers })).headers.get('etag') ?? '';
  const known = service.poll(jobId, { 'if-none-match': etag });
  for (const connections of CONNECTIONS) {
    const polls = await rates(
      [
        { ...pollOn(status), who: 'a poll that finds nothing new, 304', calls: [known], status: 304 },
        { ...pollOn(status), who: 'a poll with the result of 20 kB, 200' },
        { ...pollOn(onFramework), who: FUNCTION },
        { ...pollOn(onHttp), who: HTTP },
      ],
      connections,
    );
    report.rates(`Polls of a job that has ended, ${connections} connections`, polls, FUNCTION);
    const submits = await rates(
      [
        { ...submitOn(submit), who: 'a submission of a 20 kB notebook' },
        { ...submitOn(onFramework), who: FUNCTION, status: 200 },
        { ...submitOn(onHttp), who: HTTP, status: 200 },
      ],
      connections,
    );
    report.rates(`Submissions, ${connections} connections`, submits, FUNCTION);
    const share = (rows: typeof polls) => {
      const base = rows.find(({ who }) => who === FUNCTION)?.perSecond ?? Number.NaN;
      return base / (rows[0]?.perSecond ?? Number.NaN);
    };
    goals.push(
      [
        `the empty function's rate, of that of 304 polls, ${connections} connections`,
        share(polls),
        1 / 0.4,
        '×',
      ],
      [`the same of submissions`, share(submits), 1 / 0.25, '×'],
    );
  }
  const burst = await checkedLoad(submitOn(submit), { connections: CALLERS, for: BURST });
  goals.push(['p99 of 1,000 submissions in 2 s of 50 callers', burst.p99, 250, 'ms']);
  report.text('Goals', goalTable(goals));
  report.write();
} finally {
  rmSync(dist, { recursive: true, force: true });
}
