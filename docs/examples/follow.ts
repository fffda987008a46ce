/**
 * Follows a notebook cell by cell while it runs. Node 24 runs it as it is:
 *
 *   NOTEBURST_BASE_URL=https://data.example.org/noteburst NOTEBURST_TOKEN=gt-… node follow.ts in.ipynb
 */
import { readFileSync } from 'node:fs';
import { argv, env } from 'node:process';

const headers = { Authorization: `Bearer ${env['NOTEBURST_TOKEN']}` };

/** What is read of an event here. */
interface Told {
  cells_done?: number;
  cells_total?: number;
  output?: { text?: string };
  phase?: string;
}

/** The events of a job, until its end; goes on where it was when the connection is closed on the way. */
async function* eventsOf(url: string): AsyncGenerator<{ event: string; data: Told }> {
  for (let lastId = ''; ;) {
    const resume = lastId === '' ? {} : { 'Last-Event-ID': lastId };
    const response = await fetch(`${url}/events`, { headers: { ...headers, ...resume } });
    if (response.status === 204) return;
    if (!response.ok || !response.body) throw new Error(`${response.status} ${await response.text()}`);
    let text = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
        lastId = field('id') || lastId;
        const event = field('event');
        if (event) yield { event, data: JSON.parse(field('data')) };
        if (event === 'job_ended') return;
      }
    }
  }
}

const submitted = await fetch(`${env['NOTEBURST_BASE_URL']}/v1/notebooks/`, {
  method: 'POST',
  headers: { ...headers, 'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID() },
  body: JSON.stringify({ ipynb: readFileSync(argv[2] ?? '', 'utf8') }),
});
if (submitted.status !== 202) throw new Error(`${submitted.status} ${await submitted.text()}`);
const { self_url } = (await submitted.json()) as { self_url: string };

for await (const { event, data } of eventsOf(self_url)) {
  const { cells_done, cells_total, output, phase } = data;
  if (event === 'cell_finished') console.log(`${cells_done} of ${cells_total} cells`);
  if (event === 'output' && output?.text) console.log(output.text.trimEnd());
  if (event === 'job_ended') console.log(`the job has ${phase}`);
}
