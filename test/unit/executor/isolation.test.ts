import { describe, expect, test } from 'vitest';
import { LabTenancy } from '../../../workers/executor/jobs/isolation.ts';

describe('a lab', () => {
  test('is for one submitter at a time', () => {
    const lab = new LabTenancy('submitter');
    expect(lab.admits('alice')).toBe(true);
    lab.enter('alice');
    expect([lab.admits('alice'), lab.admits('bob'), lab.excludes('bob')]).toEqual([true, false, false]);
    lab.enter('bob');
    expect([lab.admits('alice'), lab.admits('bob')]).toEqual([false, true]);
  });

  test('is for one submitter in all its life', () => {
    const lab = new LabTenancy('lab');
    expect(lab.excludes('alice')).toBe(false);
    lab.enter('alice');
    expect([lab.admits('alice'), lab.excludes('alice')]).toEqual([true, false]);
    expect([lab.admits('bob'), lab.excludes('bob')]).toEqual([false, true]);
  });

  test('is for everybody', () => {
    const lab = new LabTenancy('none');
    lab.enter('alice');
    expect([lab.admits('bob'), lab.excludes('bob')]).toEqual([true, false]);
  });
});
