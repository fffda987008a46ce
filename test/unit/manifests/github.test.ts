import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { MAX_ANSWERS_BYTES } from '../../../functions/github/github.ts';
import { WEBHOOK_BODIES } from '../../../functions/github/webhook.ts';
import { githubFunctionConfig } from '../../../lib/config/github-function.ts';
import { parseEnv } from '../../../lib/config/env.ts';
import { builder, built, workloads, type Workload } from '../../support/manifests.ts';
import { courierEnv } from '../../../workers/courier/config.ts';
import { CACHED } from '../../../workers/courier/repositories/clones.ts';
import { READ_OUT } from '../../../workers/courier/suites/suites.ts';

/** More than run in one courier. */
const SUITES = 10;

const rule = z.object({
  config: z.object({
    scopes: z.union([
      z.strictObject({ anonymous: z.literal(true) }),
      z.strictObject({ all: z.tuple([z.literal('exec:notebook')]) }),
    ]),
    delegate: z.object({ internal: z.object({ scopes: z.array(z.string()) }) }).optional(),
  }),
  template: z.object({
    metadata: z.object({ annotations: z.record(z.string(), z.string()) }),
    spec: z.object({
      rules: z.tuple([
        z.object({
          host: z.literal('data.example.org'),
          http: z.object({
            paths: z.tuple([
              z.object({
                path: z.string(),
                pathType: z.string(),
                backend: z.object({ service: z.object({ name: z.string() }) }),
              }),
            ]),
          }),
        }),
      ]),
    }),
  }),
});

describe.skipIf(!builder).each(['github', 'github-plain'])('suites of repositories: %s', (example) => {
  const manifests = builder ? built(`deploy/example/${example}`) : [];
  const all = workloads(manifests);
  const program = (name: string) => all.find((workload) => workload.program === name) as Workload;

  test('the function and the courier agree on queue, repositories, and where reports are', () => {
    const config = githubFunctionConfig(program('github').environment);
    const courier = parseEnv(courierEnv, program('courier').environment);
    expect(courier).toMatchObject({
      NOTEBURST_COURIER_QUEUE_NAME: config.courierQueue,
      NOTEBURST_GITHUB_REPOSITORIES: config.repositories,
    });
    const url = `${courier.NOTEBURST_ENVIRONMENT_URL}${courier.NOTEBURST_PATH_PREFIX}/github`;
    expect(config.reportsUrl).toBe(url);
  });

  test('the courier finds the files that its variables name, and may write where clones go', () => {
    const { spec, environment } = program('courier');
    const { volumeMounts } = spec.containers[0];
    const mount = (path: string) => volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
    for (const name of ['NOTEBURST_GITHUB_PRIVATE_KEY_PATH', 'NOTEBURST_GITHUB_TOKEN_PATH']) {
      const volume = spec.volumes.find((each) => each.name === mount(environment[name] ?? '')?.name);
      expect(volume?.secret, name).toEqual({ secretName: 'noteburst' });
    }
    const writable = volumeMounts.filter(({ readOnly }) => !readOnly);
    const cache = parseEnv(courierEnv, environment).NOTEBURST_GITHUB_CACHE_PATH;
    expect(writable).toEqual([mount(cache)]);
    const { emptyDir } = spec.volumes.find(({ name }) => name === writable[0]?.name) ?? {};
    expect(emptyDir).toBeDefined();
  });

  test('clones, and the files of suites that run, have room where they go', () => {
    const { spec, environment } = program('courier');
    const { NOTEBURST_GITHUB_MAX_REPOSITORY_BYTES: largest } = parseEnv(courierEnv, environment);
    const clones = CACHED * largest;
    const volume = spec.volumes.find(({ name }) => name === 'scratch');
    const { sizeLimit } = z.object({ sizeLimit: z.string() }).parse(volume?.emptyDir);
    const room = Number(/^(\d+)Gi$/.exec(sizeLimit)?.[1]) * 2 ** 30;
    expect(room).toBeGreaterThanOrEqual(clones + SUITES * READ_OUT.bytes);
    const operations = readFileSync('docs/operations.md', 'utf8');
    expect(operations).toContain(`four times that in all, ${clones / 2 ** 30} GiB`);
    expect(operations).toContain(`a suite that runs has ${READ_OUT.bytes / 2 ** 20} MiB`);
    expect(operations).toContain(`\`/tmp\` has ${room / 2 ** 30} GiB`);
    expect(courierEnv.shape.NOTEBURST_GITHUB_CACHE_PATH.description).toContain(
      `${READ_OUT.bytes / 2 ** 20} MiB at most for each suite`,
    );
  });

  test('nobody comes in without a token, but for GitHub to its one path', () => {
    const rules = manifests
      .filter(({ kind, metadata }) => kind === 'GafaelfawrIngress' && metadata.name.includes('github'))
      .map((manifest) => {
        const { config, template } = rule.parse(manifest);
        const { path, pathType, backend } = template.spec.rules[0].http.paths[0];
        const anonymous = 'anonymous' in config.scopes;
        expect(template.metadata.annotations['nginx.ingress.kubernetes.io/upstream-vhost']).toBe(
          'github.noteburst.svc.cluster.local',
        );
        expect(config.delegate === undefined).toBe(anonymous);
        return { path, pathType, anonymous, service: backend.service.name };
      });
    expect(rules).toEqual([
      { path: '/noteburst/github', pathType: 'Prefix', anonymous: false, service: 'github' },
      { path: '/noteburst/github/webhook', pathType: 'Exact', anonymous: true, service: 'github' },
    ]);
  });

  test('what strangers may send at once fits into the memory, several times over, with what is downloaded', () => {
    const { memory } = program('github').spec.containers[0].resources.limits;
    const itself = 100 * 2 ** 20;
    expect(itself + 3 * (WEBHOOK_BODIES.maxBytesAtOnce ?? Infinity) + MAX_ANSWERS_BYTES).toBeLessThan(
      Number.parseInt(memory, 10) * 2 ** 20,
    );
  });

  test('the function is a Knative Service that sleeps, or a Deployment of which one is always there', () => {
    const { manifest, metadata } = program('github');
    const services = manifests.filter((each) => each.kind === 'Service' && each.metadata.name === 'github');
    expect(services).toHaveLength(1);
    const isPlain = example === 'github-plain';
    expect(manifest).toMatchObject({
      kind: isPlain ? 'Deployment' : 'Service',
      metadata: { labels: isPlain ? {} : { 'networking.knative.dev/visibility': 'cluster-local' } },
      spec: isPlain ? { replicas: 2 } : {},
    });
    expect(metadata.annotations['autoscaling.knative.dev/min-scale']).toBe(isPlain ? undefined : '0');
  });
});
