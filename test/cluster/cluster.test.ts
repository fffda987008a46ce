import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { built, withComponents, type Manifest } from '../support/manifests.ts';
import { courier } from './scenarios/courier.ts';
import { disruptions } from './scenarios/disruptions.ts';
import { mission } from './scenarios/mission.ts';
import { redis } from './scenarios/redis.ts';
import { spike } from './scenarios/spike.ts';
import { Cluster } from './support/cluster.ts';
import { kubectl, NAMESPACE } from './support/kubernetes.ts';

let cluster: Cluster | undefined;
beforeAll(async () => {
  cluster = await Cluster.start(inject('clusterHost'), inject('imageCommand'));
}, 900_000);
afterAll(async () => cluster?.[Symbol.asyncDispose](), 300_000);

/** One after the other: each begins and ends with nothing running. */
const current = () => cluster as Cluster;

describe('manifests', () => {
  test.each([
    ['deploy/example/knative', () => built('deploy/example/knative')],
    ['deploy/example/plain', () => built('deploy/example/plain')],
    ['deploy/example/github', () => built('deploy/example/github')],
    ['deploy/example/github-plain', () => built('deploy/example/github-plain')],
    ['the example with TLS behind Sentinel', () => withComponents('sentinel', 'tls')],
  ])('%s is what the cluster’s own schemas allow, to the letter', async (_title, build) => {
    const isKnown = ({ kind }: Manifest) => kind !== 'GafaelfawrIngress';
    const items = build()
      .filter(isKnown)
      .map((manifest) => ({ ...manifest, metadata: { ...manifest.metadata, namespace: NAMESPACE } }));
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    const applied = await kubectl(['apply', '--dry-run=server', '--validate=strict', '-f', '-'], list);
    expect(applied.trim().split('\n')).toHaveLength(items.length);
  });

  test('a second apply changes nothing', async () => {
    await current().apply();
    expect(await current().diff()).toBe('');
  });
});
describe('mission', () => {
  mission(current);
});
describe('spike', () => {
  spike(current);
});
describe('disruptions', () => {
  disruptions(current);
});
describe('redis', () => {
  redis(current);
});
describe('courier', () => {
  courier(current);
});
