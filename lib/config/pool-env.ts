import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv as dotenv } from 'node:util';
import { z } from 'zod';
import { describeImage, IMAGE_SELECTORS, LAB_SIZES, labImage } from '../contract/lab-image.ts';
import type { Pool, Pools } from '../contract/pool.ts';
import { ConfigError, parseEnv, queueName } from './env.ts';

/** What makes a pool: the same for its executors, and for the functions that give it jobs. */
export const poolEnv = {
  NOTEBURST_WORKER_IMAGE_SELECTOR: z
    .enum(IMAGE_SELECTORS, { error: `should be one of ${IMAGE_SELECTORS.join(', ')}` })
    .default('recommended')
    .describe('Which image the lab runs.'),
  NOTEBURST_WORKER_IMAGE_REFERENCE: z
    .string()
    .optional()
    .describe('The image, when the selector is "tag" or "reference".'),
  NOTEBURST_WORKER_LAB_SIZE: z
    .enum(LAB_SIZES, { error: `should be one of ${LAB_SIZES.join(', ')}` })
    .default('Large')
    .describe("The lab's size."),
};

/** Selectors that need NOTEBURST_WORKER_IMAGE_REFERENCE beside them. */
const NAMED: unknown[] = ['tag', 'reference'];

/** Adds the rule over several of the variables. */
export function withPoolRules<Schema extends z.ZodObject>(schema: Schema): Schema {
  return schema.refine(
    (env) =>
      !NAMED.includes(env['NOTEBURST_WORKER_IMAGE_SELECTOR']) || env['NOTEBURST_WORKER_IMAGE_REFERENCE'],
    {
      path: ['NOTEBURST_WORKER_IMAGE_REFERENCE'],
      error: 'is required when NOTEBURST_WORKER_IMAGE_SELECTOR is tag or reference',
      when: () => true,
    },
  );
}

const poolFile = withPoolRules(z.object({ ...poolEnv, NOTEBURST_WORKER_QUEUE_NAME: queueName }));

/**
 * Reads the pools from a folder of `NAME.env` files, each the environment of one pool's executors.
 *
 * @param defaultQueue the pool for requests that name none
 * @param path the folder; without it there is the default pool only, with the defaults of its executors
 * @throws {ConfigError} naming the file and what is wrong with it
 */
export function readPools(defaultQueue: string, path: string | undefined): Pools {
  if (path === undefined) return [poolIn({ NOTEBURST_WORKER_QUEUE_NAME: defaultQueue })];
  const pools = poolFiles(path).map((file) => fromFile(join(path, file)));
  const twice = pools.find((pool, n) => pools.slice(0, n).some((other) => isSame(pool, other)));
  if (twice) throw wrong(path, `two pools have the queue ${twice.queueName}, or its image and size`);
  const first = pools.find((pool) => pool.queueName === defaultQueue);
  if (!first)
    throw wrong(path, `no pool has the queue ${defaultQueue}, which NOTEBURST_WORKER_QUEUE_NAME names`);
  return [first, ...pools.filter((pool) => pool !== first)];
}

/** What Node takes off a value, and kustomize, which gives the same file to executors, does not. */
const AMBIGUOUS = /^[^#\n=]*=\s*["'`]|^[^#\n=]*=[^\n]*[ \t]#/m;

/** In the order of their names, without the hidden ones that a mounted ConfigMap has. */
function poolFiles(path: string): string[] {
  try {
    return readdirSync(path)
      .filter((name) => /^[^.].*\.env$/.test(name))
      .sort();
  } catch (error) {
    throw wrong(path, `cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function fromFile(file: string): Pool {
  try {
    const text = readFileSync(file, 'utf8');
    if (AMBIGUOUS.test(text))
      throw new Error('values have no quotes and no comments behind them: kustomize would keep both');
    return poolIn(dotenv(text));
  } catch (error) {
    throw wrong(file, (error as Error).message);
  }
}

function poolIn(environment: NodeJS.Dict<string>): Pool {
  const env = parseEnv(poolFile, environment);
  const image = labImage(env.NOTEBURST_WORKER_IMAGE_SELECTOR, env.NOTEBURST_WORKER_IMAGE_REFERENCE);
  return {
    queueName: env.NOTEBURST_WORKER_QUEUE_NAME,
    image: describeImage(image),
    size: env.NOTEBURST_WORKER_LAB_SIZE,
  };
}

const isSame = (a: Pool, b: Pool): boolean =>
  a.queueName === b.queueName || (a.image === b.image && a.size === b.size);

const wrong = (path: string, problem: string): ConfigError =>
  new ConfigError(`NOTEBURST_POOLS_PATH: ${path}: ${problem}`);
