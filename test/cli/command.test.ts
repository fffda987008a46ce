import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeNotebook } from '../support/suite-notebooks.ts';
import { Command, server } from './support/command.ts';

const command = new Command();
const write = (name: string, ...cells: string[]) => writeNotebook(join(command.dir, name), cells);
/** The ids of the user's jobs that have not ended. */
async function unfinished(): Promise<string[]> {
  const { stdout } = await command.run(['list', '--json', '--limit', '50']);
  const { jobs } = JSON.parse(stdout) as { jobs: { job_id: string; status: string }[] };
  return jobs.flatMap(({ job_id: id, status }) => (status === 'complete' ? [] : [id]));
}

describe('noteburst run', () => {
  test('runs one notebook with parameters', async () => {
    write('add.ipynb', 'print(n + m, name)');
    writeFileSync(join(command.dir, 'values.yaml'), 'n: 1\nname: nobody\n');
    const args = [
      'run',
      'add.ipynb',
      '--parameters',
      'values.yaml',
      '-p',
      'm=41',
      '-p',
      'name=M31',
      '--out',
      'out',
    ];
    expect(await command.run([...args, '--kernel', 'python3'])).toMatchObject({ code: 0 });
    expect(readFileSync(join(command.dir, 'out/add.ipynb'), 'utf8')).toContain('42 M31');
  });

  test('stops the others when one has failed, if that is wanted', async () => {
    write('fast/a.ipynb', 'raise ValueError("first")');
    write('fast/b.ipynb', 'import time; time.sleep(60)');
    write('fast/c.ipynb', '1');
    const { code, stdout } = await command.run([
      'run',
      'fast',
      '--fail-fast',
      '--jobs',
      '2',
      '--kernel',
      'python3',
    ]);
    expect(stdout).toMatch(/1 failed, 1 cancelled, 1 skipped in /);
    expect(code).toBe(1);
    expect(await unfinished()).toEqual([]);
  });

  test('Ctrl-C cancels what runs, and says so', async () => {
    write('long/a.ipynb', 'import time; time.sleep(60)');
    write('long/quick.ipynb', '1');
    const { code, stdout } = await command.run(['run', 'long', '--kernel', 'python3'], {
      onOutput: (printed, interrupt) => printed.includes('✓ long/quick.ipynb') && interrupt(),
    });
    expect(code).toBe(130);
    expect(stdout).toMatch(/1 cancelled, 1 passed in/);
    expect(await unfinished()).toEqual([]);
  });

  test('a notebook that somebody else cancels is no success', async () => {
    write('slow.ipynb', 'import time; time.sleep(60)');
    const running = command.run(['run', 'slow.ipynb', '--kernel', 'python3']);
    await expect.poll(unfinished, { timeout: 20_000 }).toHaveLength(1);
    await command.run(['cancel', ...(await unfinished())]);
    expect(await running).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('1 cancelled in') as string,
    });
  });

  test('the end of its terminal cancels what runs', async () => {
    const { promise: started, resolve } = Promise.withResolvers<() => void>();
    const running = command.run(['run', 'slow.ipynb', '--kernel', 'python3'], {
      onStart: (child) => resolve(() => child.kill('SIGHUP')),
    });
    const hangUp = await started;
    await expect.poll(unfinished, { timeout: 20_000 }).toHaveLength(1);
    hangUp();
    expect(await running).toMatchObject({ code: 130, stderr: '' });
    expect(await unfinished()).toEqual([]);
  });

  test('nothing goes on when nobody reads any more, as with head', async () => {
    write('quick.ipynb', '1');
    const running = command.run(['run', 'slow.ipynb', 'quick.ipynb', '--kernel', 'python3'], {
      onStart: (child) => child.stdout.destroy(),
    });
    expect(await running).toMatchObject({ code: 130, stderr: '' });
    expect(await unfinished()).toEqual([]);
  });

  test('runs again what changes, until Ctrl-C', async () => {
    write('watched.ipynb', 'print(');
    let isMended = false;
    const { code, stdout } = await command.run(['run', 'watched.ipynb', '--watch', '--kernel', 'python3'], {
      onOutput: (printed, interrupt) => {
        if (printed.includes('✓ watched.ipynb')) return interrupt();
        if (isMended || !printed.includes('Waiting for changes')) return;
        isMended = true;
        write('watched.ipynb', 'print()');
      },
    });
    expect(stdout).toContain('SyntaxError');
    expect(code).toBe(130);
  });

  test.each([
    ['an unknown kernel', ['add.ipynb', '--kernel', 'cobol', '-p', 'n=1'], 2, 'cobol'],
    ['an unknown image', ['add.ipynb', '--image', 'nothing'], 2, 'there are recommended'],
    ['a timeout that is too long', ['add.ipynb', '--timeout', '90 days'], 2, 'timeout: '],
    ['a number of too many digits', ['add.ipynb', '-p', 'n=12345678901234567890'], 2, 'parameter n: 123'],
    ['no such file', ['gone.ipynb'], 2, 'gone.ipynb: there is no such file'],
    ['a parameter without a name', ['add.ipynb', '-p', '=1'], 2, 'should be name=value'],
    ['an option that is none', ['add.ipynb', '--tiemout', '1'], 2, 'tiemout'],
    ['a timeout that is none', ['add.ipynb', '--timeout', '5parsec'], 2, '--timeout: should be seconds'],
    [
      'an option given twice',
      ['add.ipynb', '--timeout', '5', '--timeout', '6'],
      2,
      '--timeout is given twice',
    ],
    [
      'an earlier report that is none',
      ['add.ipynb', '--previous', 'add.ipynb'],
      2,
      'is no report of an earlier run',
    ],
    ['a report that cannot be written', ['add.ipynb', '--html', 'add.ipynb/x.html'], 2, 'cannot be written'],
    [
      'two reports in one file',
      ['add.ipynb', '--html', 'x', '--junit', './x'],
      2,
      'two reports would go there',
    ],
    ['a folder that has the notebooks', ['add.ipynb', '--out', '.'], 2, 'would be overwritten'],
    ['a number of jobs that is none', ['add.ipynb', '--jobs', '0'], 2, '--jobs should be'],
  ])('%s is told, with its exit code', async (_what, args, code, message) => {
    const said = await command.run(['run', ...args]);
    expect(said.stdout + said.stderr).toContain(message);
    expect(said.code).toBe(code);
  });

  test('a service that is not there, or refuses the token, is no fault of the notebook', async () => {
    const args = ['run', 'add.ipynb'];
    const refused = await command.run(args, { env: { NOTEBURST_TOKEN: 'gt-nobody.knows' } });
    expect(refused).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('The token is missing') as string,
    });
    expect(refused.stdout + refused.stderr).not.toContain('gt-nobody.knows');
    const nowhere = await command.run(['login', '--check'], {
      env: { NOTEBURST_BASE_URL: 'http://127.0.0.1:9/x' },
    });
    expect(nowhere).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('cannot be reached') as string,
    });
  });
});

describe('single jobs', () => {
  test('are listed, waited for, downloaded', async () => {
    write('one.ipynb', 'print("hello")');
    await command.run(['run', 'one.ipynb', '--kernel', 'python3']);
    const { stdout: listed } = await command.run(['list', '--limit', '1']);
    const [, id = ''] = listed.split(/ +/);
    expect(await command.run(['status', id])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('completed') as string,
    });
    expect(await command.run(['wait', id])).toMatchObject({ code: 0 });
    expect((await command.run(['download', id])).stdout).toContain('hello');
    expect(await command.run(['download', id, 'saved.ipynb'])).toMatchObject({ code: 0 });
    expect(readFileSync(join(command.dir, 'saved.ipynb'), 'utf8')).toContain('hello');
  });

  test('are cancelled, and are then no success to wait for', async () => {
    const response = await fetch(`${server.baseUrl}/v1/notebooks/`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${server.token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({
        kernel_name: 'python3',
        ipynb: {
          nbformat: 4,
          nbformat_minor: 5,
          metadata: {},
          cells: [{ cell_type: 'code', source: 'while True: pass' }],
        },
      }),
    });
    const { job_id: id } = (await response.json()) as { job_id: string };
    // One that is not there does not keep the next from it.
    expect(await command.run(['cancel', 'nbexec-1', id])).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/nbexec-1: .*Job not found/) as string,
    });
    expect(await command.run(['wait', id])).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('aborted') as string,
    });
  });

  test('whose notebooks fail are waited for with 1', async () => {
    write('bad.ipynb', '1 / 0');
    await command.run(['run', 'bad.ipynb', '--kernel', 'python3']);
    const [, id = ''] = (await command.run(['list', '--limit', '1'])).stdout.split(/ +/);
    expect(await command.run(['wait', id])).toMatchObject({ code: 1 });
  });

  test.each(['abc', '0', '101', '1.5'])('are not listed to a limit of %s', async (limit) => {
    expect(await command.run(['list', '--limit', limit])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--limit should be a number from 1 to 100') as string,
    });
  });

  test('that are not there are told', async () => {
    const said = await command.run(['status', 'nbexec-1']);
    expect(said).toMatchObject({ code: 3, stderr: expect.stringContaining('Job not found') as string });
  });
});

describe('noteburst login', () => {
  const withoutToken = { NOTEBURST_BASE_URL: '', NOTEBURST_TOKEN: '' };

  test('keeps a token that is good, for the user only', async () => {
    const args = ['login', '--base-url', server.baseUrl];
    // As an editor may have left it.
    const file = join(command.dir, '.config/noteburst/credentials.json');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '{}', { mode: 0o644 });
    expect(await command.run(args, { env: withoutToken, input: `${server.token}\n` })).toMatchObject({
      code: 0,
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await command.run(['login', '--check'], { env: withoutToken })).toMatchObject({ code: 0 });
    // Kept for that service, and sent to no other.
    const elsewhere = { NOTEBURST_BASE_URL: `${server.baseUrl}x`, NOTEBURST_TOKEN: '' };
    expect(await command.run(['login', '--check'], { env: elsewhere })).toMatchObject({ code: 2 });
  });

  test('keeps none that is not', async () => {
    const config = join(command.dir, 'other');
    const env = { ...withoutToken, XDG_CONFIG_HOME: config };
    const said = await command.run(['login', '--base-url', server.baseUrl], {
      env,
      input: 'gt-wrong.wrong\n',
    });
    expect(said.code).toBe(3);
    expect(existsSync(config)).toBe(false);
  });

  test.each([
    ['no token', server.baseUrl, 'No token was given'],
    ['no address', 'data.example.org', 'is no address of a service'],
  ])('%s is told', async (_what, address, message) => {
    expect(await command.run(['login', '--base-url', address], { env: withoutToken })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(message) as string,
    });
  });
});

test('what is set for runs is not in the way of other commands', async () => {
  const env = { NOTEBURST_TIMEOUT: '5m', NOTEBURST_JOBS: '3' };
  expect(await command.run(['list', '--limit', '1'], { env })).toMatchObject({ code: 0 });
  expect(await command.run(['run', 'add.ipynb'], { env: { NOTEBURST_TIMEOUT: 'soon' } })).toMatchObject({
    code: 2,
  });
});

test('a token that cannot be one is not shown', async () => {
  const { code, stderr } = await command.run(['list'], { env: { NOTEBURST_TOKEN: 'gt-secret\nfoo' } });
  expect(stderr).toContain('The token is no token');
  expect(stderr).not.toContain('secret');
  expect(code).toBe(3);
});

test('the help teaches, and completion scripts are for the shells', async () => {
  expect((await command.run(['run', '--help'])).stdout).toContain('noteburst run "docs/**/*.ipynb"');
  expect(await command.run([])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Say what to do') as string,
  });
  expect((await command.run(['rnu'])).stderr).toContain('Did you mean run?');
  expect((await command.run(['completion'], { env: { SHELL: '/bin/bash' } })).stdout).toContain('complete -');
  expect((await command.run(['completion'], { env: { SHELL: '/bin/zsh' } })).stdout).toContain('#compdef');
  const { stdout } = await command.run(['--get-yargs-completions', 'noteburst', 'run', '--']);
  expect(stdout).toContain('--fail-fast');
});
