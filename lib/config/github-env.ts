import { z } from 'zod';
import { repositoryName } from '../contract/suite-job.ts';
import { allowedHost } from '../outgoing/allowed-hosts.ts';

const words = (text: string): string[] => text.split(',').flatMap((word) => word.trim() || []);

/** The repositories whose suites are run. */
export const githubRepositories = z
  .string()
  .default('')
  .transform(words)
  .pipe(z.array(z.union([repositoryName, z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,38}\/\*$/)])))
  .describe(
    'The repositories whose suites are run, with commas between them: `owner/name`, or `owner/*` for all of an owner’s. Schedules are kept for those with a name.',
  );

export type GithubRepositories = readonly string[];

/** GitHub takes names in any case. */
export function isAllowedRepository(repositories: GithubRepositories, name: string): boolean {
  const [owner = ''] = name.split('/');
  const names = [name, `${owner}/*`].map((each) => each.toLowerCase());
  return repositories.some((each) => names.includes(each.toLowerCase()));
}

/** Secrets with commas between them. */
export const secrets = z
  .string()
  .transform(words)
  .pipe(z.array(z.string().min(16, 'should be secrets of 16 characters at least')).min(1));

export const githubHost = z
  .string()
  .default('github.com')
  .transform((text, context) => {
    const host = allowedHost(text);
    if (host && !host.name.startsWith('*')) return host;
    context.addIssue({
      code: 'custom',
      message: 'should be a host such as github.com or internal:git.example.org',
    });
    return z.NEVER;
  });
