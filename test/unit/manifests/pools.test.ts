import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { MAX_WAIT_SECONDS } from '../../../lib/http/prefer.ts';
import { functionConfig } from '../../../lib/config/functions.ts';
import { bullKey } from '../../../lib/queue/bull-keys.ts';
import { describeImage } from '../../../lib/contract/lab-image.ts';
import { executorConfig, type ExecutorConfig } from '../../../workers/executor/config.ts';
import { builder, built, filesAt, workloads, type Workload } from '../../support/manifests.ts';

/** What an executor needs beyond its grace: the lab's end, the token's, the lease's. */
const EXIT_SECONDS = 90;

const folder = mkdtempSync(join(tmpdir(), 'noteburst-mounts-'));
afterAll(() => rmSync(folder, { recursive: true }));

function mounted(files: Record<string, string>): string {
  const dir = mkdtempSync(join(folder, 'mount-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return dir;
}

interface ScaledObjectSpec {
  scaleTargetRef: { name: string };
  minReplicaCount: number;
  maxReplicaCount: number;
  pollingInterval: number;
  fallback: { replicas: number };
  advanced: { scalingModifiers: { formula: string; target: string; metricType: string } };
  triggers: {
    type: string;
    name: string;
    metadata: Record<string, string>;
    authenticationRef: { name: string };
  }[];
}

describe.skipIf(!builder).each(['deploy/example/knative', 'deploy/example/plain', 'deploy/local'])(
  '%s',
  (dir) => {
    const manifests = builder ? built(dir) : [];
    const all = workloads(manifests);
    const executors = all.filter(({ program }) => program === 'executor');
    const functions = all.filter(({ program }) => program === 'submit' || program === 'status');

    /** As the executor reads it. */
    const configOf = (workload: Workload): ExecutorConfig => {
      const path = workload.environment['NOTEBURST_WORKER_IDENTITIES_PATH'] as string;
      const identities = mounted(filesAt(manifests, workload, dirname(path)));
      const own = { NOTEBURST_WORKER_IDENTITIES_PATH: join(identities, 'identities.yaml') };
      return executorConfig({ ...workload.environment, ...own });
    };
    const functionConfigOf = (workload: Workload) => {
      const path = workload.environment['NOTEBURST_POOLS_PATH'] as string;
      const own = { NOTEBURST_POOLS_PATH: mounted(filesAt(manifests, workload, path)) };
      return functionConfig({ ...workload.environment, ...own });
    };
    const scaling = (workload: Workload): ScaledObjectSpec => {
      const specs = manifests
        .filter(({ kind }) => kind === 'ScaledObject')
        .map(({ spec }) => spec as unknown as ScaledObjectSpec);
      const of = specs.filter(
        ({ scaleTargetRef }) => scaleTargetRef.name === workload.manifest.metadata.name,
      );
      expect(of).toHaveLength(1);
      return of[0] as ScaledObjectSpec;
    };

    test('the functions know the pools that there are', () => {
      const pools = executors.map(configOf).map(({ queueName, image, labSize }) => ({
        queueName,
        image: describeImage(image),
        size: labSize,
      }));
      expect(pools.length).toBeGreaterThan(1);
      for (const workload of functions) {
        const known = functionConfigOf(workload).pools;
        expect(known[0].queueName).toBe('nbexec');
        expect(new Set(known)).toEqual(new Set(pools));
      }
    });

    test('KEDA counts the lists of the pool’s queue, summed', () => {
      for (const executor of executors) {
        const { queueName, concurrency } = configOf(executor);
        const { triggers, advanced, pollingInterval, fallback } = scaling(executor);
        const lists = ['wait', 'prioritized', 'active', 'delayed'];
        expect(triggers.map(({ name }) => name)).toEqual(lists);
        expect(triggers.map(({ metadata }) => metadata['listName'])).toEqual(
          lists.map((name) => bullKey(queueName, name)),
        );
        const { formula, target, metricType } = advanced.scalingModifiers;
        expect(formula).toBe('wait + prioritized + active + (delayed > 0 ? 1 : 0)');
        expect([target, metricType]).toEqual([String(concurrency), 'AverageValue']);
        expect(pollingInterval).toBeLessThanOrEqual(5);
        expect(fallback.replicas).toBeGreaterThan(0);
        const secrets = manifests.filter(({ kind }) => kind === 'TriggerAuthentication');
        for (const { authenticationRef } of triggers)
          expect(secrets.map(({ metadata }) => metadata.name)).toContain(authenticationRef.name);
      }
    });

    test('a pool has as many executors at most as identities, and no identity is in two', () => {
      const identities = executors.map((executor) => {
        const names = configOf(executor).identities.map(({ username }) => username);
        expect(scaling(executor)).toMatchObject({ minReplicaCount: 0, maxReplicaCount: names.length });
        return names;
      });
      expect(new Set(identities.flat()).size).toBe(identities.flat().length);
    });

    test('an executor may finish the longest notebook, and clean up', () => {
      const longest = Math.max(...functions.map((workload) => functionConfigOf(workload).maxTimeoutSeconds));
      for (const executor of executors) {
        const graceSeconds = configOf(executor).graceMs / 1_000;
        expect(graceSeconds).toBeGreaterThanOrEqual(longest);
        const { terminationGracePeriodSeconds = 0 } = executor.spec;
        expect(terminationGracePeriodSeconds).toBeGreaterThanOrEqual(graceSeconds + EXIT_SECONDS);
        // The next one waits for its identity for so long, and is then to have its lab.
        const { progressDeadlineSeconds } = executor.manifest.spec;
        expect(progressDeadlineSeconds).toBeGreaterThan(terminationGracePeriodSeconds + 600);
      }
    });

    test('there are no more executors than before while they are replaced, and their number is KEDA’s to say', () => {
      for (const { manifest, spec } of executors) {
        expect(manifest.spec).not.toHaveProperty('replicas');
        expect(spec.shareProcessNamespace).toBe(true);
        expect(manifest.spec['strategy']).toMatchObject({ rollingUpdate: { maxSurge: 0 } });
      }
    });

    test('requests are given the time that functions take, and no more at once than they follow', () => {
      for (const workload of functions.filter(({ manifest }) => manifest.kind === 'Service')) {
        const { streamMaxMs, maxWatchers } = functionConfigOf(workload);
        const { timeoutSeconds = 0, containerConcurrency = 0 } = workload.spec;
        const longest = workload.program === 'status' ? streamMaxMs / 1_000 : MAX_WAIT_SECONDS;
        expect(timeoutSeconds).toBeGreaterThan(longest);
        expect(containerConcurrency).toBeGreaterThan(0);
        expect(containerConcurrency).toBeLessThanOrEqual(maxWatchers);
        expect(workload.metadata.annotations['autoscaling.knative.dev/min-scale']).toBe('0');
        expect(workload.manifest.metadata.labels?.['networking.knative.dev/visibility']).toBe(
          'cluster-local',
        );
      }
    });
  },
);
