import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { githubFunctionConfig } from '../../../lib/config/github-function.ts';
import {
  builder,
  built,
  configMap,
  workloads,
  type Manifest,
  type Workload,
} from '../../support/manifests.ts';

const variable = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z
    .union([
      z.strictObject({ fieldRef: z.strictObject({ fieldPath: z.literal('metadata.namespace') }) }),
      z.strictObject({ configMapKeyRef: z.strictObject({ name: z.string(), key: z.string() }) }),
      z.strictObject({ secretKeyRef: z.strictObject({ name: z.literal('noteburst'), key: z.string() }) }),
    ])
    .optional(),
});
const cronJob = z.object({
  concurrencyPolicy: z.literal('Forbid'),
  jobTemplate: z.object({
    spec: z.object({
      template: z.object({
        metadata: z.object({ labels: z.record(z.string(), z.string()) }),
        spec: z.object({
          automountServiceAccountToken: z.literal(false),
          securityContext: z.record(z.string(), z.unknown()),
          containers: z.tuple([
            z.object({
              image: z.string(),
              args: z.array(z.string()),
              env: z.array(variable),
              securityContext: z.record(z.string(), z.unknown()),
            }),
          ]),
        }),
      }),
    }),
  }),
});
const SECRET = 'a secret of 16 characters';

/** The environment as the kubelet makes it, `$(NAME)` included. */
function environmentOf(manifests: Manifest[], env: z.infer<typeof variable>[], namespace: string) {
  const environment: Record<string, string> = {};
  for (const { name, value, valueFrom } of env) {
    if (!valueFrom)
      environment[name] = (value ?? '').replaceAll(/\$\((\w+)\)/g, (whole, of) => environment[of] ?? whole);
    else if ('fieldRef' in valueFrom) environment[name] = namespace;
    else if ('secretKeyRef' in valueFrom) environment[name] = `${SECRET}, another one`;
    else {
      const { name: map, key } = valueFrom.configMapKeyRef;
      environment[name] = configMap(manifests, map)[key] as string;
    }
  }
  return environment;
}

describe.skipIf(!builder).each(['github', 'github-plain'])('the CronJob of %s', (example) => {
  const manifests = builder ? built(`deploy/example/${example}`) : [];
  const found = manifests.filter(({ kind }) => kind === 'CronJob');
  const { jobTemplate } = builder ? cronJob.parse(found[0]?.spec) : ({} as z.infer<typeof cronJob>);
  const { metadata, spec } = jobTemplate?.spec.template ?? {};
  const github = workloads(manifests).find(({ program }) => program === 'github') as Workload;

  test('calls the function where it is, whatever the namespace, with what it expects', async () => {
    const [{ args, env, image }] = spec.containers;
    const environment = environmentOf(manifests, env, 'elsewhere');
    const { pathPrefix } = githubFunctionConfig(github.environment);
    expect(environment['URL']).toBe(`http://github.elsewhere.svc${pathPrefix}/github/scheduled`);
    const services = manifests.filter(
      ({ kind, metadata: { name } }) => kind === 'Service' && name === 'github',
    );
    expect(services).toHaveLength(1);
    expect(image).toBe(github.spec.containers[0].image);
    const secretOf = (list: unknown) => JSON.stringify(list).includes('"key":"github-schedule-secrets"');
    expect([env, github.spec.containers[0].env].map(secretOf)).toEqual([true, true]);

    const asked: (string | undefined)[][] = [];
    let status = 202;
    const server = createServer((request: IncomingMessage, response) => {
      asked.push([request.method, request.url, request.headers.authorization]);
      response.writeHead(status).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const url = new URL(environment['URL'] as string);
      url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      const call = () =>
        promisify(execFile)(process.execPath, args, {
          env: { ...environment, URL: url.href },
          timeout: 15_000,
        });
      await call();
      expect(asked).toEqual([['POST', `${pathPrefix}/github/scheduled`, `Bearer ${SECRET}`]]);
      status = 401;
      await expect(call()).rejects.toMatchObject({ code: 1 });
    } finally {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    }
  });

  test('runs its pod as the restricted Pod Security Standard wants it', () => {
    expect({ ...spec.securityContext, ...spec.containers[0].securityContext }).toEqual({
      runAsNonRoot: true,
      runAsUser: 65532,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
  });

  test('reaches names and the function, and nothing else', () => {
    const rule = z.object({
      podSelector: z.object({ matchLabels: z.record(z.string(), z.string()).default({}) }),
      egress: z.array(z.object({ to: z.array(z.unknown()).default([]) })).default([]),
    });
    const to = manifests
      .filter(({ kind }) => kind === 'NetworkPolicy')
      .map((policy) => rule.parse(policy.spec))
      .filter(({ podSelector }) =>
        Object.entries(podSelector.matchLabels).every(([name, value]) => metadata.labels[name] === value),
      )
      .flatMap(({ egress }) => egress.map(({ to: peers }) => JSON.stringify(peers)));
    expect(to).toHaveLength(2);
    const direct =
      '"matchLabels":{"app.kubernetes.io/name":"github","app.kubernetes.io/part-of":"noteburst"}';
    expect(to.join('')).toContain(example === 'github' ? 'kourier-system' : direct);
    expect(github.metadata.labels).toMatchObject({ 'app.kubernetes.io/name': 'github' });
  });
});
