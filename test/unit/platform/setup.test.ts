import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { isUsable } from '../../../platform/setup/python.ts';
import { parseVersion } from '../../../platform/setup/redis-server.ts';
import { StepList } from '../../../platform/setup/steps.ts';
import { baseEnv } from '../../../platform/services/base-env.ts';

const list = (isTTY = false, plainEveryMs?: number) => {
  const lines: string[] = [];
  const output = { isTTY, write: (text: string) => void lines.push(text) };
  return { lines, steps: new StepList({ output, ...(plainEveryMs !== undefined && { plainEveryMs }) }) };
};

describe('the list of steps', () => {
  it('prints a line for each step when it ends', async () => {
    const { lines, steps } = list();
    await steps.run('One', async () => {});
    await steps.run('Two', async (notes) => notes.alreadyDone());
    await steps.run('Three', async (notes) => notes.note('http://here'));
    await expect(steps.run('Four', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(lines).toEqual([
      '✓ One  0.0 s\n',
      '✓ Two  already set up\n',
      '✓ Three  0.0 s  http://here\n',
      '✗ Four  0.0 s\n',
    ]);
  });

  it('says now and then that a long step is still running', async () => {
    const { lines, steps } = list(false, 20);
    await steps.run('Long', async (notes) => {
      notes.progress('half');
      await sleep(70);
    });
    expect(lines.filter((line) => line.startsWith('… Long')).length).toBeGreaterThan(1);
    expect(lines[0]).toMatch(/^… Long {2}0\.0 s {2}half\n$/);
  });

  it('keeps one live line on a terminal', async () => {
    const { lines, steps } = list(true);
    await Promise.all([steps.run('One', () => sleep(250)), steps.run('Two', () => sleep(250))]);
    expect(lines.some((line) => /^\r.*One .* · Two/.test(line))).toBe(true);
  });
});

describe('what is looked for on the machine', () => {
  it.each([
    ['3.11.0', true],
    ['3.14.1', true],
    ['3.10.13', false],
    ['2.7.18', false],
    ['', false],
  ])('Python %s: %s', (version, usable) => expect(isUsable(version)).toBe(usable));

  it.each([
    ['Redis server v=6.2.7 sha=00000000:0 malloc=jemalloc-5.1.0 bits=64', 'redis 6.2.7'],
    ['Redis server v=6.0.16 sha=00000000:0', undefined],
    ['Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64', 'valkey 9.1.2'],
    ['something else', undefined],
  ])('%s → %s', (text, version) => expect(parseVersion(text)).toBe(version));
});

describe("the services' environment", () => {
  it('has nothing of the person’s own but what every pod has', () => {
    const env = baseEnv('run', {
      PATH: '/bin',
      HOME: '/home',
      LANG: 'C',
      SECRET: 'x',
      NOTEBURST_REDIS_URL: 'x',
    });
    expect(Object.keys(env).sort()).toEqual(['HOME', 'LANG', 'NOTEBURST_PLATFORM_RUN', 'PATH']);
  });
});
