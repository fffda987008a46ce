import { describe, expect, test } from 'vitest';
import { parseEnv } from '../../../lib/config/env.ts';
import { redisSetup } from '../../../lib/config/redis-env.ts';
import { builder, ENVIRONMENTS, withComponents, workloads, type Manifest } from '../../support/manifests.ts';

interface Trigger {
  type: string;
  metadata: Record<string, string>;
}

const triggersOf = (manifests: Manifest[]): Trigger[] =>
  manifests
    .filter(({ kind }) => kind === 'ScaledObject')
    .flatMap(({ spec }) => spec['triggers'] as Trigger[]);

/** What KEDA gets from a Secret or a ConfigMap, as "parameter: key". */
const parametersOf = (manifests: Manifest[]): string[] => {
  const [auth] = manifests.filter(({ kind }) => kind === 'TriggerAuthentication');
  const references = [auth?.spec['secretTargetRef'], auth?.spec['configMapTargetRef'] ?? []].flat();
  return (references as { parameter: string; key: string }[]).map(
    ({ parameter, key }) => `${parameter}: ${key}`,
  );
};

/** A name of another namespace: KEDA asks from its own. */
const REACHED = /^[\w-]+(\.[\w-]+)+:\d+$/;

describe.skipIf(!builder)('how KEDA and the processes reach Redis', () => {
  test('one server: with a user and a password', () => {
    const manifests = withComponents();
    for (const { type, metadata } of triggersOf(manifests)) {
      expect(type).toBe('redis');
      expect(metadata['address']).toMatch(REACHED);
      expect(metadata).not.toHaveProperty('enableTLS');
    }
    expect(parametersOf(manifests)).toEqual([
      'username: redis-keda-username',
      'password: redis-keda-password',
    ]);
  });

  test('Sentinel: both ask the same sentinels for the same master', () => {
    const manifests = withComponents('sentinel');
    const setups = workloads(manifests).map(({ program, environment }) => {
      return redisSetup(parseEnv(ENVIRONMENTS[program], environment)).sentinel;
    });
    expect(setups).toHaveLength(5);
    for (const { type, metadata } of triggersOf(manifests)) {
      const addresses = metadata['addresses']?.split(',') ?? [];
      expect(type).toBe('redis-sentinel');
      expect(addresses).toHaveLength(3);
      for (const address of addresses) expect(address).toMatch(REACHED);
      expect(metadata).not.toHaveProperty('address');
      const nodes = addresses.map((address) => {
        const [host, port] = address.split(':');
        return { host, port: Number(port) };
      });
      const same = { nodes, masterName: metadata['sentinelMaster'], password: expect.any(String) };
      for (const setup of setups) expect(setup).toEqual(same);
    }
    expect(parametersOf(manifests)).toContain('sentinelPassword: redis-sentinel-password');
  });

  test('TLS: both know the CA', () => {
    const manifests = withComponents('tls');
    for (const { metadata } of triggersOf(manifests)) expect(metadata['enableTLS']).toBe('true');
    expect(parametersOf(manifests)).toContain('ca: ca.crt');
    for (const { environment, spec } of workloads(manifests)) {
      const path = environment['NOTEBURST_REDIS_CA_PATH'];
      const mount = spec.containers[0].volumeMounts.find(({ mountPath }) => path === `${mountPath}/ca.crt`);
      expect(spec.volumes).toContainEqual({ name: mount?.name, configMap: { name: 'redis-ca' } });
    }
  });
});
