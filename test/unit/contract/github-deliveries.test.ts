import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { askedBy } from '../../../lib/contract/github-deliveries.ts';
import {
  pullRequestDelivery,
  pushDelivery,
  recorded,
  rerunDelivery,
} from '../../support/github-deliveries.ts';

const NAME = 'team/tutorials';
const COMMIT = 'c'.repeat(40);
const installation = { id: 55 };

describe('what GitHub has recorded', () => {
  test.each(['push', 'pull_request', 'ping', 'check_run', 'check_suite', 'installation', 'repository'])(
    'every %s is understood',
    (event) => {
      const all = recorded(event);
      expect(all.length).toBeGreaterThan(3);
      // Some were sent to a repository's own webhook.
      for (const payload of all) expect(() => askedBy(event, { installation, ...payload })).not.toThrow();
    },
  );

  test('of pushes, those to branches ask for something', () => {
    const asked = recorded('push').map((payload) => askedBy('push', { installation, ...payload }));
    const branches = recorded('push').map(({ ref }) => ref === 'refs/heads/master');
    expect(asked.map((each) => each !== undefined)).toEqual(branches);
    expect(branches).toContain(true);
    expect(asked.find((each) => each)).toMatchObject({
      repository: 'Codertocat/Hello-World',
      branch: 'master',
      commit: expect.stringMatching(/^[0-9a-f]{40}$/),
      atMs: Date.parse('2019-05-15T15:20:57Z'),
    });
  });

  test.each(['check_run', 'check_suite'])('of %s, those that are to be run again', (event) => {
    const asking = recorded(event).filter((payload) => askedBy(event, { installation, ...payload }));
    expect(new Set(asking.map(({ action }) => action))).toEqual(new Set(['rerequested']));
  });

  test('of pull requests, those with new code', () => {
    const asking = recorded('pull_request').filter((payload) =>
      askedBy('pull_request', { installation, ...payload }),
    );
    expect(new Set(asking.map(({ action }) => action))).toEqual(
      new Set(['opened', 'synchronize', 'reopened']),
    );
  });
});

describe('those of the tests', () => {
  const require = createRequire(import.meta.url);
  const schema = require('@octokit/webhooks-schemas') as object;
  const ajv = new Ajv({ strict: false, validateSchema: false }).addSchema(schema, 'webhooks');
  addFormats.default(ajv);
  const problemOf = (name: string, payload: object) =>
    ajv.validate(`webhooks#/definitions/${name}`, payload) ? '' : ajv.errorsText();

  test.each<[string, object]>([
    ['push$event', pushDelivery(NAME, COMMIT)],
    ['pull_request$closed', pullRequestDelivery(NAME, COMMIT, { action: 'closed', merged: true })],
    ['pull_request$synchronize', pullRequestDelivery(NAME, COMMIT, { from: 'stranger/tutorials' })],
    ['check_run$rerequested', rerunDelivery('check_run', NAME, COMMIT)],
    ['check_suite$rerequested', rerunDelivery('check_suite', NAME, COMMIT)],
  ])('%s has the published form', (name, payload) => {
    expect(problemOf(name, payload)).toBe('');
    const { repository: _, ...without } = payload as Record<string, unknown>;
    expect(problemOf(name, without)).toContain('repository');
  });
});
