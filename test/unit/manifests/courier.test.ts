import { describe, expect, test } from 'vitest';
import { isAllowedUrl } from '../../../lib/outgoing/allowed-hosts.ts';
import { suitesQueueOf } from '../../../lib/contract/courier-job.ts';
import { functionConfig } from '../../../lib/config/functions.ts';
import { untoldKey } from '../../../lib/contract/job-keys.ts';
import { bullKeys } from '../../../lib/queue/bull-keys.ts';
import { ATTEMPT_TIMEOUT_MS } from '../../../workers/courier/callbacks/deliver.ts';
import { courierConfig } from '../../../workers/courier/config.ts';
import { CLOSE_MS } from '../../../workers/courier/courier.ts';
import { builder, built, workloads, type Manifest, type Workload } from '../../support/manifests.ts';

interface ScaledObjectSpec {
  scaleTargetRef: { name: string };
  minReplicaCount: number;
  maxReplicaCount: number;
  advanced: { scalingModifiers: { formula: string } };
  triggers: { name: string; metadata: Record<string, string>; authenticationRef: { name: string } }[];
}

describe.skipIf(!builder).each(['deploy/example/knative', 'deploy/example/plain'])('%s', (dir) => {
  const manifests = builder ? built(dir) : [];
  const all = workloads(manifests);
  const courier = all.find(({ program }) => program === 'courier') as Workload;

  test('KEDA counts what the courier has to do, and what it has to wait for', () => {
    const { queueName } = courierConfig(courier.environment);
    const scaled = manifests.find(
      ({ kind, metadata }) => kind === 'ScaledObject' && metadata.name === 'courier',
    );
    const { scaleTargetRef, triggers, advanced, ...spec } = (scaled as Manifest)
      .spec as unknown as ScaledObjectSpec;
    expect(scaleTargetRef.name).toBe(courier.manifest.metadata.name);
    const lists = ['wait', 'active', 'delayed'];
    expect(triggers.map(({ metadata }) => metadata['listName'])).toEqual([
      ...bullKeys(queueName, lists),
      untoldKey(queueName),
      ...bullKeys(suitesQueueOf(queueName), lists),
    ]);
    const names = triggers.map(({ name }) => name);
    expect(names).toEqual([...lists, 'untold', ...lists.map((list) => `suites_${list}`)]);
    expect(advanced.scalingModifiers.formula).toBe(names.join(' + '));
    expect(spec).toMatchObject({ minReplicaCount: 0, maxReplicaCount: 1 });
    expect(courier.manifest.spec).not.toHaveProperty('replicas');
    const secrets = manifests.filter(({ kind }) => kind === 'TriggerAuthentication');
    for (const { authenticationRef } of triggers)
      expect(secrets.map(({ metadata }) => metadata.name)).toContain(authenticationRef.name);
  });

  test('submit takes callbacks for the queue and the hosts that the courier has', () => {
    const { queueName, allowedHosts, apiUrl } = courierConfig(courier.environment);
    for (const { environment } of all.filter(({ program }) => program === 'submit')) {
      const { NOTEBURST_POOLS_PATH: _, ...own } = environment;
      const config = functionConfig(own);
      expect(config).toMatchObject({ courierQueue: queueName, allowedHosts, apiUrl });
    }
    expect(isAllowedUrl(allowedHosts, new URL('https://times-square.times-square.svc/hook'))).toBe(true);
  });

  test('the courier may end what it is sending', () => {
    const { terminationGracePeriodSeconds = 0, shareProcessNamespace } = courier.spec;
    expect(CLOSE_MS).toBeGreaterThan(ATTEMPT_TIMEOUT_MS);
    expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThan(CLOSE_MS);
    expect(shareProcessNamespace).toBe(true);
  });
});
