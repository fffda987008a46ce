import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import { TriggerAuthentication } from '@kubernetes-models/keda/keda.sh/v1alpha1/TriggerAuthentication';
import { Service as KnativeService } from '@kubernetes-models/knative/serving.knative.dev/v1/Service';
import { CronJob } from 'kubernetes-models/batch/v1/CronJob';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Service } from 'kubernetes-models/v1/Service';
import { describe, expect, test } from 'vitest';
import {
  builder,
  built,
  configMap,
  ENVIRONMENTS,
  withComponents,
  workloads,
} from '../../support/manifests.ts';

const MODELS: Record<string, new (manifest: never) => { validate(): void }> = {
  'v1/ConfigMap': ConfigMap,
  'v1/Service': Service,
  'apps/v1/Deployment': Deployment,
  'batch/v1/CronJob': CronJob,
  'policy/v1/PodDisruptionBudget': PodDisruptionBudget,
  'networking.k8s.io/v1/NetworkPolicy': NetworkPolicy,
  'keda.sh/v1alpha1/ScaledObject': ScaledObject,
  'keda.sh/v1alpha1/TriggerAuthentication': TriggerAuthentication,
  'serving.knative.dev/v1/Service': KnativeService,
};
/** No package has its schema; test/unit/manifests/ingress.test.ts looks at what we use of it. */
const WITHOUT_SCHEMA = 'gafaelfawr.lsst.io/v1alpha1/GafaelfawrIngress';

/** Of the pods that a CronJob starts. */
function labelsOfJob(spec: unknown): Record<string, string> {
  const { jobTemplate } = spec as {
    jobTemplate: { spec: { template: { metadata: { labels: Record<string, string> } } } };
  };
  return jobTemplate.spec.template.metadata.labels;
}

function errorOf(act: () => void): Error | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

if (!builder) console.log('skipped, as neither kubectl nor kustomize is installed: the manifests as built');

describe.skipIf(!builder).each([
  ['deploy/example/knative', () => built('deploy/example/knative')],
  ['deploy/example/plain', () => built('deploy/example/plain')],
  ['deploy/example/github', () => built('deploy/example/github')],
  ['deploy/example/github-plain', () => built('deploy/example/github-plain')],
  ['deploy/local', () => built('deploy/local')],
  ['the example with TLS', () => withComponents('tls')],
  ['the example behind Sentinel', () => withComponents('sentinel')],
  ['the example behind Sentinel with TLS', () => withComponents('sentinel', 'tls')],
])('%s', (_title, build) => {
  const manifests = builder ? build() : [];

  test('follows the schemas', () => {
    const titles = new Set(manifests.map(({ apiVersion, kind }) => `${apiVersion}/${kind}`));
    expect([...titles].filter((title) => !(title in MODELS) && title !== WITHOUT_SCHEMA)).toEqual([]);
    const faults = manifests.flatMap((manifest) => {
      const Model = MODELS[`${manifest.apiVersion}/${manifest.kind}`];
      const error = Model && errorOf(() => new Model(manifest as never).validate());
      return error ? [`${manifest.kind} ${manifest.metadata.name}: ${error.message}`] : [];
    });
    expect(faults).toEqual([]);
  });

  test('has each object once, all in one namespace', () => {
    const names = manifests.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(manifests.map(({ metadata }) => metadata.namespace)).size).toBe(1);
  });

  test('has secrets by reference only', () => {
    expect(manifests.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    const values = manifests
      .filter(({ kind }) => kind === 'ConfigMap')
      .flatMap(({ data = {} }) => Object.values(data));
    const env = workloads(manifests).flatMap(({ spec }) => spec.containers[0].env);
    values.push(...env.flatMap((item) => ('value' in item ? item.value : [])));
    expect(values.join('\n')).not.toMatch(/token|password|:\/\/[^/\s]*:[^/\s]*@/i);
  });

  test('gives each process variables that it knows, and all that it must have', () => {
    for (const { title, program, environment } of workloads(manifests)) {
      const schema = ENVIRONMENTS[program];
      const known = Object.keys(schema.shape);
      const ofNode = /^(NODE_OPTIONS|NODE_COMPILE_CACHE(_PORTABLE)?|MALLOC_MMAP_THRESHOLD_)$/;
      const strangers = Object.keys(environment).filter(
        (name) => !known.includes(name) && !ofNode.test(name),
      );
      expect(strangers, title).toEqual([]);
      const result = schema.safeParse(environment);
      const needsFile = (path: PropertyKey[]) => path[0] === 'NOTEBURST_REDIS_CA_PATH';
      expect(result.error?.issues.filter(({ path }) => !needsFile(path)) ?? [], title).toEqual([]);
    }
  });

  test('runs pods as the restricted Pod Security Standard wants them, and more', () => {
    for (const { title, spec } of workloads(manifests)) {
      const [{ securityContext: own }] = spec.containers;
      expect({ ...spec.securityContext, ...own }, title).toEqual({
        runAsNonRoot: true,
        runAsUser: 65532,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(spec.automountServiceAccountToken, title).toBe(false);
    }
  });

  test('asks the port that a process listens on, at paths that it has', () => {
    for (const { title, spec, environment } of workloads(manifests)) {
      const [{ ports, readinessProbe, livenessProbe, startupProbe = livenessProbe }] = spec.containers;
      expect(ports, title).toHaveLength(1);
      const [port] = ports;
      // Knative says the port itself.
      expect(environment['PORT'] ?? '8080', title).toBe(String(port?.containerPort));
      for (const { httpGet } of [readinessProbe, livenessProbe, startupProbe])
        expect([port?.containerPort, port?.name], title).toContain(httpGet.port);
      expect(readinessProbe.httpGet.path, title).toBe('/health/ready');
      expect([livenessProbe.httpGet.path, startupProbe.httpGet.path]).toEqual([
        '/health/live',
        '/health/live',
      ]);
    }
  });

  test('selects the pods it is about', () => {
    const pods = workloads(manifests).map(({ metadata }) => metadata.labels);
    for (const { kind, spec } of manifests) if (kind === 'CronJob') pods.push(labelsOfJob(spec));
    const selectors = manifests.flatMap(({ kind, metadata, spec }) => {
      const selector = (kind === 'NetworkPolicy' ? spec['podSelector'] : spec?.['selector']) as
        { matchLabels?: Record<string, string> } | undefined;
      return selector && kind !== 'ConfigMap'
        ? [
            [
              `${kind} ${metadata.name}`,
              selector.matchLabels ?? (selector as Record<string, string>),
            ] as const,
          ]
        : [];
    });
    const blind = selectors.filter(
      ([, labels]) =>
        !pods.some((pod) => Object.entries(labels).every(([name, value]) => pod[name] === value)),
    );
    // Redis is another chart's.
    expect(
      blind.map(([title]) => title).filter((title) => title !== 'NetworkPolicy noteburst-redis'),
    ).toEqual([]);
  });

  test('mounts what there is', () => {
    const names = workloads(manifests).flatMap(({ spec }) =>
      spec.volumes.flatMap(({ configMap: map }) => map?.name ?? []),
    );
    // The CA of Redis is the operator's to bring.
    const maps = [...new Set(names)]
      .filter((name) => name !== 'redis-ca')
      .map((name) => configMap(manifests, name));
    expect(maps.length).toBeGreaterThan(2);
    expect(maps).not.toContainEqual({});
  });
});
