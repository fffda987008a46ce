/**
 * `npm run test:cluster`: the tests that need a Kubernetes with KEDA and Knative. With KUBECONFIG, that cluster; else one
 * that is brought up here, where the scripts for it are at hand. What is behind `--` goes to vitest, `-t spike` for instance.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setUp } from '../../platform/setup/set-up.ts';
import { StepList } from '../../platform/setup/steps.ts';
import { ROOT } from '../../platform/state.ts';
import { endRun, TEST_RUN_VARIABLE } from '../support/test-run.ts';

/** Where it is at hand: a cluster of one node without Docker. */
const OWN = join(ROOT, '..', 'shared', 'cluster');
/** The address that this machine has for pods of it. */
const OWN_HOST = '10.99.0.1';

const HELP = `These are needed, or one of them is missing:
  KUBECONFIG           a cluster with KEDA 2.19 and Knative Serving with Kourier, or newer, whose Services this machine reaches
  NOTEBURST_TEST_HOST  the address at which its pods reach this machine
  NOTEBURST_TEST_GATEWAY  where this machine reaches Knative's gateway, if not by the address of its Service; for instance behind
                       kubectl -n kourier-system port-forward service/kourier-internal 8081:80
The images are yours to load there before: dev.local/noteburst-submit:test, -status, -github, -executor and -courier (see the Dockerfile).`;

function clusterEnv(): Record<string, string> {
  const { KUBECONFIG, NOTEBURST_TEST_HOST } = process.env;
  if (KUBECONFIG && NOTEBURST_TEST_HOST) return {};
  if (KUBECONFIG || !existsSync(join(OWN, 'up.sh'))) {
    console.error(HELP);
    process.exit(2);
  }
  const { CLUSTER_DIR, XDG_CACHE_HOME, PATH } = process.env;
  const dir = CLUSTER_DIR ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'test-cluster');
  const env = {
    KUBECONFIG: join(dir, 'run', 'admin.conf'),
    PATH: `${join(dir, 'bin')}:${PATH}`,
    NOTEBURST_TEST_HOST: OWN_HOST,
    NOTEBURST_TEST_IMAGE_COMMAND: join(OWN, 'image.sh'),
  };
  if (!isUp(env)) {
    console.log('bringing a cluster up; the first time builds it, 20 minutes or more');
    const up = spawnSync(join(OWN, 'up.sh'), { stdio: 'inherit' });
    if (up.status !== 0) {
      console.error('the cluster did not come up');
      process.exit(1);
    }
  }
  return env;
}

/** Whether what comes up last is there. */
function isUp(env: Record<string, string>): boolean {
  const ask = ['-n', 'kourier-system', 'get', 'service', 'kourier-internal', '--request-timeout=5s'];
  return spawnSync('kubectl', ask, { env: { ...process.env, ...env }, timeout: 10_000 }).status === 0;
}

const runId = randomUUID();
const env = { ...process.env, ...clusterEnv(), [TEST_RUN_VARIABLE]: runId };
await setUp({ kinds: ['std6'], steps: new StepList(), signal: new AbortController().signal });
const args = ['run', '--project', 'cluster', '--reporter=verbose', ...process.argv.slice(2)];
const child = spawn(join(ROOT, 'node_modules/.bin/vitest'), args, { cwd: ROOT, stdio: 'inherit', env });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGINT'));
child.once('close', (code) => {
  process.exitCode = code ?? 1;
  // At a second SIGINT vitest goes at once, and leaves what its tests started.
  void endRun(runId);
});
