import { readFileSync } from 'node:fs';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { ConfigError } from '../../../lib/config/env.ts';

const identitySchema = z.strictObject({
  username: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/, 'should be a user name such as bot-noteburst01'),
  uid: z.number().int().positive().optional(),
  gid: z.number().int().positive().optional(),
});

/** A bot user that an executor may act as; uid and gid where Gafaelfawr does not assign them. */
export type Identity = z.infer<typeof identitySchema>;

const identitiesSchema = z
  .array(identitySchema, 'should be a list of {username, uid, gid}')
  .min(1, 'should name at least one identity')
  .refine(
    (all) => new Set(all.map(({ username }) => username)).size === all.length,
    'names a username twice',
  );

/**
 * Reads identities.yaml: the bot users of this pool, as Noteburst has them.
 *
 * @throws {ConfigError} that names the file and every wrong entry
 */
export function readIdentities(path: string): Identity[] {
  let document: unknown;
  try {
    document = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const why = error instanceof YAMLParseError ? 'is not valid YAML' : 'cannot be read';
    throw new ConfigError(`NOTEBURST_WORKER_IDENTITIES_PATH: ${path} ${why}: ${(error as Error).message}`);
  }
  const parsed = identitiesSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path: place, message }) => `  ${place.join('.') || 'file'}: ${message}`,
  );
  throw new ConfigError(
    `NOTEBURST_WORKER_IDENTITIES_PATH: ${path} is not a list of identities:\n${problems.join('\n')}`,
  );
}
