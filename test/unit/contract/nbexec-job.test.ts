import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isJobId, newJobId } from '../../../lib/contract/nbexec-job.ts';

const queueNames = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);

describe('a job id', () => {
  test('is known as one of its queue, and is nothing that BullMQ refuses', () => {
    fc.assert(
      fc.property(queueNames, (queueName) => {
        const id = newJobId(queueName);
        expect(isJobId(id, queueName)).toBe(true);
        expect(id).not.toContain(':');
        expect(Number(id)).toBeNaN();
      }),
    );
  });

  test('is not known in another queue, also when one name begins with the other', () => {
    expect(isJobId(newJobId('nbexec-large'), 'nbexec')).toBe(false);
    expect(isJobId(newJobId('nbexec'), 'nbexec-large')).toBe(false);
    fc.assert(
      fc.property(queueNames, queueNames, (mine, other) => {
        expect(isJobId(newJobId(mine), other)).toBe(mine === other);
      }),
    );
  });

  test('comes once', () => {
    const ids = Array.from({ length: 1_000 }, () => newJobId('nbexec'));
    expect(new Set(ids).size).toBe(1_000);
  });

  test('is not what a stranger makes up', () => {
    const made = [
      '',
      'nbexec',
      'nbexec-',
      'nbexec-1',
      `nbexec-${'A'.repeat(32)}`,
      `nbexec-${'a'.repeat(31)}`,
      `nbexec-${'a'.repeat(33)}`,
      `nbexec-${'a'.repeat(32)}\n`,
      `nbexec-${'a'.repeat(32)}/..`,
      `nbexec:${'a'.repeat(32)}`,
    ];
    expect(made.filter((id) => isJobId(id, 'nbexec'))).toEqual([]);
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(isJobId(text, 'nbexec')).toBe(/^nbexec-[0-9a-f]{32}$/.test(text) && !text.endsWith('\n'));
      }),
    );
  });
});
