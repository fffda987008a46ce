import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { disruptions } from './scenarios/disruptions.ts';
import { mission } from './scenarios/mission.ts';
import { redis } from './scenarios/redis.ts';
import { spike } from './scenarios/spike.ts';
import { Cluster } from './support/cluster.ts';

let cluster: Cluster | undefined;
beforeAll(async () => {
  cluster = await Cluster.start(inject('clusterHost'), inject('imageCommand'));
}, 900_000);
afterAll(async () => cluster?.[Symbol.asyncDispose](), 300_000);

/** One after the other: each begins and ends with nothing running. */
const current = () => cluster as Cluster;

describe('manifests', () => {
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
