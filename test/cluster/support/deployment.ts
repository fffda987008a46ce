import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Platform } from '../../../platform/platform.ts';
import { ROOT } from '../../../platform/state.ts';
import { aclRules } from '../../support/acl-rules.ts';
import { APP_ID } from '../../support/fake-github.ts';
import { WEBHOOK_SECRET } from '../../support/github-deliveries.ts';
import { inNamespace, kubectl, NAMESPACE } from './kubernetes.ts';
import { REPOSITORY, type Outside } from './outside.ts';

const PASSWORD = 'of-the-test';
/** The overlay that says where this machine's platform is. */
export const OVERLAY = join(ROOT, 'out', 'cluster');

/** Pods that are not as the Pod Security Standard wants them are refused. */
const PROFILE = { 'pod-security.kubernetes.io/enforce': 'restricted' };
/** Deploys what an operator would, into a namespace of its own, and waits until it is there. */
export async function deploy(platform: Platform, redisUrl: string, outside: Outside): Promise<void> {
  writeOverlay(platform, redisUrl, outside);
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: PROFILE } };
  await kubectl(['apply', '-f', '-'], JSON.stringify(namespace));
  await kubectl(['apply', '-f', '-'], JSON.stringify(await secret(platform, redisUrl, outside)));
  await kubectl(['apply', '-k', OVERLAY]);
  await inNamespace('wait', 'ksvc', '--all', '--for=condition=Ready', '--timeout=180s');
  await inNamespace('wait', 'scaledobject', '--all', '--for=condition=Ready', '--timeout=60s');
}

/** Says where the platform is, Redis, and what is outside. */
function writeOverlay({ originUrl, repertoireUrl }: Platform, redisUrl: string, outside: Outside): void {
  const { host } = new URL(redisUrl);
  const address = (name: string, triggers: number) => ({
    target: { kind: 'ScaledObject', name },
    patch: JSON.stringify(
      Array.from({ length: triggers }, (_, n) => ({
        op: 'replace',
        path: `/spec/triggers/${n}/metadata/address`,
        value: host,
      })),
    ),
  });
  const merge = (name: string, ...literals: string[]) => ({ name, behavior: 'merge', literals });
  mkdirSync(OVERLAY, { recursive: true });
  // JSON is YAML, too.
  writeFileSync(
    join(OVERLAY, 'kustomization.yaml'),
    JSON.stringify({
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      namespace: NAMESPACE,
      resources: [relative(OVERLAY, join(ROOT, 'deploy', 'local'))],
      configMapGenerator: [
        merge('noteburst', `REPERTOIRE_BASE_URL=${repertoireUrl}`),
        merge(
          'functions',
          `NOTEBURST_ENVIRONMENT_URL=${originUrl}`,
          `NOTEBURST_CALLBACK_ALLOWED_HOSTS=${outside.receiver.host}`,
        ),
        merge(
          'github',
          `NOTEBURST_ENVIRONMENT_URL=${originUrl}`,
          `NOTEBURST_GITHUB_REPOSITORIES=${REPOSITORY}`,
          `NOTEBURST_GITHUB_HOST=internal:${outside.github.host}`,
        ),
        { name: 'outside', literals: [`ca.crt=${readFileSync(outside.ca.path, 'utf8')}`] },
      ],
      patches: [address('executor-.*', 4), address('courier', 7), trusting(outside.ca)],
    }),
  );
}

/** Lets the courier know this machine by a name, and its CA. */
function trusting({ name, address }: Outside['ca']): object {
  const pod = '/spec/template/spec';
  const container = `${pod}/containers/0`;
  const file = '/etc/outside/ca.crt';
  const add = (path: string, value: unknown) => ({ op: 'add', path, value });
  return {
    target: { kind: 'Deployment', name: 'courier' },
    patch: JSON.stringify([
      add(`${pod}/hostAliases`, [{ ip: address, hostnames: [name] }]),
      add(`${pod}/volumes/-`, { name: 'outside', configMap: { name: 'outside' } }),
      add(`${container}/volumeMounts/-`, { name: 'outside', mountPath: '/etc/outside' }),
      add(`${container}/env/-`, { name: 'NODE_EXTRA_CA_CERTS', value: file }),
      add(`${container}/env/-`, { name: 'GIT_SSL_CAINFO', value: file }),
    ]),
  };
}

/** What is the operator's to make. */
async function secret(platform: Platform, redisUrl: string, { github }: Outside): Promise<object> {
  const { host } = new URL(redisUrl);
  const urlOf = (user: string) => `redis://noteburst-${user}:${PASSWORD}@${host}/0`;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'noteburst', namespace: NAMESPACE },
    stringData: {
      'redis-url-submit': urlOf('submit'),
      'redis-url-status': urlOf('status'),
      'redis-url-executor': urlOf('executor'),
      'redis-url-courier': urlOf('courier'),
      'redis-url-github': urlOf('github'),
      'redis-keda-username': 'keda',
      'redis-keda-password': PASSWORD,
      'gafaelfawr-token': platform.adminToken,
      'github-app-id': APP_ID,
      'github-private-key': github.privateKey,
      'github-service-token': await platform.createToken({ username: 'suites' }),
      'github-webhook-secrets': WEBHOOK_SECRET,
      'github-schedule-secrets': 'a secret of the clock',
    },
  };
}

/** With everything in it, also what an earlier run has left. */
export async function removeNamespace(): Promise<void> {
  const all = ['deployments,ksvc,scaledobjects', '--all', '--ignore-not-found', '--wait=false'];
  await inNamespace('delete', ...all);
  // Executors would have an hour for what runs.
  await inNamespace('delete', 'pods', '--all', '--grace-period=15', '--timeout=90s');
  await kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--timeout=150s']);
}

/** Where this machine reaches Knative's gateway, which Services in the cluster are behind. */
export async function gatewayUrl(): Promise<string> {
  const { NOTEBURST_TEST_GATEWAY } = process.env;
  if (NOTEBURST_TEST_GATEWAY) return NOTEBURST_TEST_GATEWAY;
  const service = ['-n', 'kourier-system', 'get', 'service', 'kourier-internal'];
  return `http://${await kubectl([...service, '-o', 'jsonpath={.spec.clusterIP}'])}`;
}

/** The users of docs/redis.md, for both pools, and one for looking. */
export function users(version: string): string {
  const lines = [...aclRules(version)].map(([name, rules]) => {
    const ofPools = rules.flatMap((rule) =>
      rule === '~{noteburst}:nbexec:*' ? [rule, '~{noteburst}:small:*'] : rule,
    );
    return `user ${name} on >${PASSWORD} ${ofPools.join(' ')}`;
  });
  return [...lines, 'user default on nopass ~* &* +@all', ''].join('\n');
}
