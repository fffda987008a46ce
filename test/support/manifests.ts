import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { functionEnv } from '../../lib/config/functions.ts';
import { githubFunctionEnv } from '../../lib/config/github-function.ts';
import { ROOT } from '../../platform/state.ts';
import { courierEnv } from '../../workers/courier/config.ts';
import { executorEnv } from '../../workers/executor/config.ts';

/** An object as kubectl would apply it. What it holds is looked at with care, or not at all. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: Record<string, unknown>;
  data?: Record<string, string>;
}

/** kubectl and kustomize build the same, and either will do. */
const BUILDERS = [
  ['kubectl', 'kustomize'],
  ['kustomize', 'build'],
] as const;

/** The command that builds kustomizations, or undefined where none is installed. */
export const builder = BUILDERS.find(([command, verb]) => {
  try {
    execFileSync(command, [verb, '--help'], { stdio: 'ignore', timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
});

/** @param dir below the project's folder */
export function built(dir: string): Manifest[] {
  if (builder === undefined) throw new Error('neither kubectl nor kustomize is installed');
  const text = execFileSync(builder[0], [builder[1], join(ROOT, dir)], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return manifestsIn(text);
}

/** The example with components on top of it. */
export function withComponents(...components: string[]): Manifest[] {
  const folder = mkdtempSync(join(tmpdir(), 'noteburst-manifests-'));
  try {
    const below = (path: string) => relative(folder, join(ROOT, path));
    const resources = [below('deploy/example/knative')];
    const kustomization = { resources, components: components.map((name) => below(`keda/${name}`)) };
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
    return built(relative(ROOT, folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function manifestsIn(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    const [error] = document.errors;
    if (error) throw error;
    return document.toJS() as Manifest;
  });
}

const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.union([z.number(), z.string()]) }) });

const container = z.object({
  name: z.string(),
  image: z.string(),
  ports: z.array(z.object({ name: z.string().optional(), containerPort: z.number() })),
  envFrom: z.array(z.object({ configMapRef: z.object({ name: z.string() }) })).default([]),
  env: z
    .array(
      z.union([
        z.object({ name: z.string(), value: z.string() }),
        z.object({
          name: z.string(),
          valueFrom: z.object({ secretKeyRef: z.object({ name: z.string(), key: z.string() }) }),
        }),
      ]),
    )
    .default([]),
  volumeMounts: z.array(
    z.object({ name: z.string(), mountPath: z.string(), readOnly: z.literal(true).optional() }),
  ),
  resources: z.object({ limits: z.object({ memory: z.string() }) }),
  securityContext: z.record(z.string(), z.unknown()),
  startupProbe: probe.optional(),
  readinessProbe: probe,
  livenessProbe: probe,
});

const podTemplate = z.object({
  metadata: z.object({
    labels: z.record(z.string(), z.string()),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({
    automountServiceAccountToken: z.boolean().optional(),
    shareProcessNamespace: z.boolean().optional(),
    containerConcurrency: z.number().optional(),
    timeoutSeconds: z.number().optional(),
    terminationGracePeriodSeconds: z.number().optional(),
    securityContext: z.record(z.string(), z.unknown()).default({}),
    containers: z.tuple([container]),
    volumes: z.array(
      z.object({
        name: z.string(),
        configMap: z.object({ name: z.string() }).optional(),
        secret: z.object({ secretName: z.string() }).optional(),
        emptyDir: z.object({ sizeLimit: z.string() }).optional(),
      }),
    ),
  }),
});

/** What each program reads of its environment. */
export const ENVIRONMENTS = {
  submit: functionEnv,
  status: functionEnv,
  executor: executorEnv,
  courier: courierEnv,
  github: githubFunctionEnv,
};

/** A Deployment or Knative Service, by what its pods are. */
export interface Workload extends z.infer<typeof podTemplate> {
  /** Kind and name. */
  title: string;
  program: keyof typeof ENVIRONMENTS;
  manifest: Manifest;
  /** As its process gets it; secrets are stood for by values of their form. */
  environment: Record<string, string>;
}

/** What only a Secret holds, in the form that the process expects. */
const SECRETS: Record<string, string> = {
  NOTEBURST_REDIS_URL: 'redis://user:secret@redis:6379/0',
  NOTEBURST_GAFAELFAWR_TOKEN: 'gt-secret',
  NOTEBURST_REDIS_SENTINEL_PASSWORD: 'secret',
  NOTEBURST_GITHUB_APP_ID: '1',
  NOTEBURST_GITHUB_WEBHOOK_SECRETS: 'a secret of 16 characters',
  NOTEBURST_GITHUB_SCHEDULE_SECRETS: 'a secret of 16 characters',
};

/** The workloads among the objects, with their ConfigMaps followed. */
export function workloads(manifests: Manifest[]): Workload[] {
  const isWorkload = ({ kind, apiVersion }: Manifest) =>
    kind === 'Deployment' || (kind === 'Service' && apiVersion.startsWith('serving.knative.dev/'));
  return manifests.filter(isWorkload).map((manifest) => {
    const template = podTemplate.parse(manifest.spec['template']);
    const [{ name, env, envFrom }] = template.spec.containers;
    const maps = envFrom.map(({ configMapRef }) => configMap(manifests, configMapRef.name));
    const own = env.map((item) => [item.name, 'value' in item ? item.value : SECRETS[item.name]]);
    return {
      ...template,
      title: `${manifest.kind} ${manifest.metadata.name}`,
      program: name as Workload['program'],
      manifest,
      environment: Object.assign({}, ...maps, Object.fromEntries(own)),
    };
  });
}

/** The data of a ConfigMap that must be there. */
export function configMap(manifests: Manifest[], name: string): Record<string, string> {
  const found = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name);
  if (!found) throw new Error(`there is no ConfigMap ${name}`);
  return found.data ?? {};
}

/** The files that a workload has at a path, from the ConfigMap that is mounted there. */
export function filesAt(manifests: Manifest[], { spec }: Workload, path: string): Record<string, string> {
  const mount = spec.containers[0].volumeMounts.find(({ mountPath }) => mountPath === path);
  const volume = spec.volumes.find(({ name }) => name === mount?.name);
  return configMap(manifests, volume?.configMap?.name ?? `at ${path}`);
}
