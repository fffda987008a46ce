import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { MAX_BODY_BYTES } from '../../../lib/http/request-body.ts';
import { upstreamOf } from '../../../platform/origin/origin.ts';
import { builder, built } from '../../support/manifests.ts';

/** What we use of GafaelfawrIngress, as its documentation has it: no package has its schema. */
const ingress = z.strictObject({
  apiVersion: z.literal('gafaelfawr.lsst.io/v1alpha1'),
  kind: z.literal('GafaelfawrIngress'),
  metadata: z.object({ name: z.string() }),
  config: z.strictObject({
    scopes: z.strictObject({ all: z.tuple([z.literal('exec:notebook')]) }),
    service: z.literal('noteburst'),
    delegate: z.strictObject({
      internal: z.strictObject({
        service: z.literal('noteburst'),
        scopes: z.tuple([z.literal('exec:notebook')]),
      }),
    }),
  }),
  template: z.object({
    metadata: z.object({ name: z.string(), annotations: z.record(z.string(), z.string()) }),
    spec: z.object({
      rules: z.tuple([
        z.strictObject({
          host: z.literal('data.example.org'),
          http: z.object({
            paths: z.array(
              z.object({
                path: z.string(),
                pathType: z.enum(['Exact', 'Prefix']),
                backend: z.object({
                  service: z.object({ name: z.string(), port: z.object({ number: z.literal(80) }) }),
                }),
              }),
            ),
          }),
        }),
      ]),
    }),
  }),
});

describe.skipIf(!builder).each(['deploy/example/knative', 'deploy/example/plain'])(
  'the way in of %s',
  (dir) => {
    const manifests = builder ? built(dir) : [];
    const ingresses = manifests
      .filter(({ kind }) => kind === 'GafaelfawrIngress')
      .map((found) => ingress.parse(found));
    const paths = ingresses.flatMap(({ template }) => template.spec.rules[0].http.paths);

    /** As Kubernetes' Ingress says: an exact path first, then the longest prefix of whole elements. */
    function service(path: string): string | undefined {
      const exact = paths.find((rule) => rule.pathType === 'Exact' && rule.path === path);
      const isWithin = (prefix: string) => path === prefix || path.startsWith(`${prefix}/`);
      const prefix = paths
        .filter((rule) => rule.pathType === 'Prefix' && isWithin(rule.path))
        .toSorted((a, b) => b.path.length - a.path.length)[0];
      return (exact ?? prefix)?.backend.service.name;
    }

    test.each([
      '/noteburst',
      '/noteburst/',
      '/noteburst/docs',
      '/noteburst/openapi.json',
      '/noteburst/v1/notebooks',
      '/noteburst/v1/notebooks/',
      '/noteburst/v1/notebooks/nbexec-1',
      '/noteburst/v1/notebooks/nbexec-1/events',
      '/noteburst/v1/notebooks//',
      '/noteburstx',
      '/',
    ])('%s goes where the local platform sends it', (path) => {
      expect(service(path)).toBe(upstreamOf(path));
    });

    test('says the host by which Knative knows the service, and lets the largest body through', () => {
      for (const { template } of ingresses) {
        const [{ http }] = template.spec.rules;
        const [name] = new Set(http.paths.map(({ backend }) => backend.service.name));
        const { annotations } = template.metadata;
        const of = (option: string) => annotations[`nginx.ingress.kubernetes.io/${option}`];
        expect(of('upstream-vhost')).toBe(`${name}.noteburst.svc.cluster.local`);
        expect(Number.parseInt(of('proxy-body-size') ?? '', 10) * 2 ** 20).toBeGreaterThan(MAX_BODY_BYTES);
        expect(of('proxy-buffering')).toBe('off');
        const functions = manifests.filter(
          ({ kind, metadata }) => kind === 'Service' && metadata.name === name,
        );
        expect(functions).toHaveLength(1);
      }
    });
  },
);
