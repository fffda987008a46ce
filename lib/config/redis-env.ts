import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** How to reach a Redis. */
export interface RedisSetup {
  /** User, password and database; host and port too, where no sentinels tell them. */
  url: string;
  /** Who knows which node is the master. */
  sentinel?: { nodes: HostPort[]; masterName: string; password?: string };
  /** The certificate, as PEM, that the server's must be signed with; one of Node's own when absent. */
  ca?: string;
}

interface HostPort {
  host: string;
  port: number;
}

/** Strictly: a password with a slash in it would otherwise be a host, a port and the name of a database. */
export const redisUrl = z.string().refine(isRedisUrl, {
  error:
    'should be a URL such as redis://user:password@host:6379/0, special characters percent-encoded (@ is %40, / is %2F, % is %25)',
});

function isRedisUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || !/^rediss?:$/.test(url.protocol)) return false;
  try {
    decodeURIComponent(url.username + url.password);
  } catch {
    return false;
  }
  return url.hostname !== '' && /^(\/\d*)?$/.test(url.pathname) && url.search === '' && url.hash === '';
}

const HOST_PORT = /^(?:\[(?<ipv6>[\da-f:.]+)\]|(?<name>[\w.-]+)):(?<port>\d{1,5})$/i;

const hostPorts = z.string().transform((text, context): HostPort[] =>
  text.split(',').map((item) => {
    const { ipv6, name, port } = HOST_PORT.exec(item.trim())?.groups ?? {};
    if (port === undefined) {
      context.addIssue({
        code: 'custom',
        message: 'should be host:port, several of them separated by commas',
      });
    }
    return { host: ipv6 ?? name ?? '', port: Number(port) };
  }),
);

/** Read at once: Node takes whatever it is given as a certificate, and would then trust nobody. */
const certificate = z.string().transform((path, context) => {
  try {
    const pem = readFileSync(path, 'utf8');
    void new X509Certificate(pem);
    return pem;
  } catch {
    context.addIssue({ code: 'custom', message: 'should name a file that holds a certificate as PEM' });
    return z.NEVER;
  }
});

export const redisEnv = {
  NOTEBURST_REDIS_URL: redisUrl.describe(
    'The Redis that holds the queue and the notebooks; `rediss://` for TLS. See [Redis](redis.md).',
  ),
  NOTEBURST_REDIS_SENTINELS: hostPorts
    .optional()
    .describe(
      'The sentinels, as `host:port` separated by commas. They tell the host and port, so that those of NOTEBURST_REDIS_URL are not used.',
    ),
  NOTEBURST_REDIS_SENTINEL_MASTER: z
    .string()
    .optional()
    .describe('What the sentinels call the master, such as `mymaster`.'),
  NOTEBURST_REDIS_SENTINEL_PASSWORD: z
    .string()
    .optional()
    .describe("The sentinels' own password; the user and password of Redis are in NOTEBURST_REDIS_URL."),
  NOTEBURST_REDIS_CA_PATH: certificate
    .optional()
    .describe(
      'The file with the certificate (PEM) of the private CA that signs those of Redis and the sentinels.',
    ),
};

/** Adds the rules over several of the variables; each is checked also when others are wrong. */
export function withRedisRules<Schema extends z.ZodObject>(schema: Schema): Schema {
  const needs = (name: string, other: string, error: string) => (checked: Schema) =>
    checked.refine((env) => env[other] === undefined || env[name] !== undefined, {
      path: [name],
      error,
      when: () => true,
    });
  const rules = [
    needs(
      'NOTEBURST_REDIS_SENTINEL_MASTER',
      'NOTEBURST_REDIS_SENTINELS',
      'is required with NOTEBURST_REDIS_SENTINELS: what the sentinels call the master, such as mymaster',
    ),
    ...['NOTEBURST_REDIS_SENTINEL_MASTER', 'NOTEBURST_REDIS_SENTINEL_PASSWORD'].map((other) =>
      needs(
        'NOTEBURST_REDIS_SENTINELS',
        other,
        `is required with ${other}: the sentinels, as host:port separated by commas`,
      ),
    ),
    (checked: Schema) =>
      checked.refine(
        (env) => env['NOTEBURST_REDIS_CA_PATH'] === undefined || URLS.some((name) => usesTls(env[name])),
        {
          path: ['NOTEBURST_REDIS_CA_PATH'],
          error: 'is used with TLS only: NOTEBURST_REDIS_URL should begin with rediss://',
          when: () => true,
        },
      ),
  ];
  return rules.reduce((checked, rule) => rule(checked), schema);
}

const URLS = ['NOTEBURST_REDIS_URL', 'NOTEBURST_WORKER_LOCK_REDIS_URL'];

const usesTls = (url: unknown): boolean => typeof url === 'string' && url.startsWith('rediss://');

export function redisSetup(env: z.output<z.ZodObject<typeof redisEnv>>): RedisSetup {
  const nodes = env.NOTEBURST_REDIS_SENTINELS;
  const masterName = env.NOTEBURST_REDIS_SENTINEL_MASTER;
  const password = env.NOTEBURST_REDIS_SENTINEL_PASSWORD;
  const ca = env.NOTEBURST_REDIS_CA_PATH;
  return {
    url: env.NOTEBURST_REDIS_URL,
    ...(nodes && masterName && { sentinel: { nodes, masterName, ...(password && { password }) } }),
    ...(ca && { ca }),
  };
}
