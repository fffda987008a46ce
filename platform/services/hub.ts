import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ManagedProcess } from '../process/managed-process.ts';
import { pythonOf } from '../setup/venv.ts';
import { ROOT } from '../state.ts';
import type { ServiceContext } from './context.ts';

export interface HubPorts {
  /** Where requests go in: the hub's proxy. */
  proxy: number;
  proxyApi: number;
  hub: number;
}

/** A lab as the hub sees it. */
export interface RunningLab {
  username: string;
  ready: boolean;
  pending: string | null;
}

export interface Hub {
  /** The hub's own proxy, without the ingress in front. */
  url: string;
  process: ManagedProcess;
  labs: () => Promise<RunningLab[]>;
}

const Users = z.array(
  z.object({
    name: z.string(),
    servers: z
      .record(z.string(), z.object({ ready: z.boolean(), pending: z.string().nullable() }))
      .optional(),
  }),
);

/** Starts JupyterHub and its proxy; the labs it spawns live below the state folder and end with it. */
export async function startHub(
  context: ServiceContext,
  venvDir: string,
  ports: HubPorts,
  originUrl: string,
): Promise<Hub> {
  const url = `http://127.0.0.1:${ports.proxy}/nb`;
  const token = randomBytes(32).toString('hex');
  for (const dir of [context.paths.hub, context.paths.homes]) mkdirSync(dir, { recursive: true });
  const process_ = new ManagedProcess({
    name: 'hub',
    command: pythonOf(venvDir),
    args: ['-m', 'jupyterhub', '--config', join(ROOT, 'platform', 'python', 'jupyterhub_config.py')],
    cwd: context.paths.hub,
    env: {
      ...context.env,
      PATH: `${join(venvDir, 'bin')}:${context.env['PATH']}`,
      PYTHONDONTWRITEBYTECODE: '1',
      PLATFORM_ORIGIN: originUrl,
      PLATFORM_PROXY_URL: `${url}/`,
      PLATFORM_PROXY_API_URL: `http://127.0.0.1:${ports.proxyApi}`,
      PLATFORM_HUB_URL: `http://127.0.0.1:${ports.hub}`,
      PLATFORM_HUB_TOKEN: token,
      PLATFORM_HUB_DIR: context.paths.hub,
      PLATFORM_HOMES: context.paths.homes,
      PLATFORM_NODE: process.execPath,
      PLATFORM_CHP: join(ROOT, 'node_modules', 'configurable-http-proxy', 'bin', 'configurable-http-proxy'),
    },
    logDir: context.paths.logs,
    record: context.record,
    // It stops its labs first, each of which has some seconds.
    graceMs: 5_000,
  });
  context.started(process_);
  const timing = { timeoutMs: 60_000, signal: context.signal };
  // The hub itself first: asked too early, its proxy fills the log with errors.
  await process_.waitForUrl(`http://127.0.0.1:${ports.hub}/nb/hub/api/`, timing);
  await process_.waitForUrl(`${url}/hub/api/`, timing);
  return {
    url,
    process: process_,
    labs: async () => {
      // Past the proxy, so that this works while the proxy goes down, too.
      const response = await fetch(`http://127.0.0.1:${ports.hub}/nb/hub/api/users?state=active`, {
        headers: { authorization: `token ${token}` },
        signal: AbortSignal.timeout(5_000),
      });
      if (!response.ok) throw new Error(`the hub's list of users answered ${response.status}`);
      return Users.parse(await response.json()).flatMap(({ name, servers = {} }) =>
        Object.values(servers).map(({ ready, pending }) => ({ username: name, ready, pending })),
      );
    },
  };
}
