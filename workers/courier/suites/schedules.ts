/** Looks at what is due of the schedules that repositories have in their suite files, and has it run. */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { suiteJobId, type SuiteJobData } from '../../../lib/contract/suite-job.ts';
import type { Logger } from '../../../lib/logger.ts';
import { runIdOf } from '../../../lib/queue/run-id.ts';
import { schedulesKey } from '../../../lib/queue/github-keys.ts';
import { dueSince } from '../../../suite/schedule.ts';
import { parseSuiteFile, SUITE_FILE, type Schedule } from '../../../suite/suite-file.ts';
import type { CourierHandler } from '../courier-queue.ts';
import type { GithubApi } from '../github/github-api.ts';

export interface SchedulesParts {
  redis: Redis;
  api: GithubApi;
  /** `owner/*` among them are passed over: nobody says which those are. */
  repositories: readonly string[];
  /** Adds a job of the kind `suite`, unless there is one with this id. */
  add: (id: string, data: SuiteJobData) => Promise<void>;
  log: Logger;
}

/** Longer than anybody pauses a repository's suite. */
const LOOKED_AT_SECONDS = 90 * 86_400;

const jobData = z.object({ version: z.literal(1), at_ms: z.number() });
const installationAnswer = z.object({ id: z.number() });
const repositoryAnswer = z.object({ default_branch: z.string() });
const commitAnswer = z.object({ sha: z.string() });

export function scheduleKeeper(parts: SchedulesParts): CourierHandler {
  return async ({ data, signal }) => {
    const { at_ms: nowMs } = jobData.parse(data);
    for (const repository of parts.repositories.filter((name) => !name.endsWith('/*'))) {
      try {
        await look(parts, repository, nowMs, signal);
      } catch (error) {
        signal.throwIfAborted();
        // The others must not wait for it, and the next look is not far.
        parts.log.warn({ err: error, repository }, 'schedules of a repository not looked at');
      }
    }
  };
}

async function look(
  parts: SchedulesParts,
  repository: string,
  nowMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { api, redis } = parts;
  const [owner = '', repo = ''] = repository.split('/');
  const named = { owner, repo };
  const found = await api.askAsApp('GET /repos/{owner}/{repo}/installation', named, signal);
  if (found === undefined) throw new Error('the app is not installed there');
  const { id: installation } = installationAnswer.parse(found);
  const token = await api.token(installation, repository, { contents: 'read' }, signal);
  const ask = (route: string, more: object = {}) => api.ask(token, route, { ...named, ...more }, signal);
  const { default_branch: branch } = repositoryAnswer.parse(await ask('GET /repos/{owner}/{repo}'));
  const { sha: commit } = commitAnswer.parse(
    await ask('GET /repos/{owner}/{repo}/commits/{ref}', { ref: branch }),
  );
  const raw = { path: SUITE_FILE, ref: commit, mediaType: { format: 'raw' } };
  const text = await ask('GET /repos/{owner}/{repo}/contents/{path}', raw);
  if (typeof text !== 'string') return;
  const { schedules } = parseSuiteFile(text, SUITE_FILE);
  const key = schedulesKey(repository);
  for (const schedule of schedules) {
    const looked = await redis.hget(key, identityOf(schedule));
    const due = looked === null ? undefined : dueSince(schedule, Number(looked), nowMs);
    if (due !== undefined) {
      const run = runIdOf(`${repository.toLowerCase()}@${identityOf(schedule)}@${due}`);
      const common = { version: 1, run, repository, commit, installation, branch } as const;
      await parts.add(suiteJobId(run), { ...common, event: 'schedule', schedule: schedule.name });
    }
    // Behind what was added: that is added once, however often it is.
    if (looked !== null && nowMs <= Number(looked)) continue;
    await redis.multi().hset(key, identityOf(schedule), nowMs).expire(key, LOOKED_AT_SECONDS).exec();
  }
}

/** Another time is another schedule, which begins now. */
const identityOf = ({ name, cron, timezone }: Schedule): string => JSON.stringify([name, cron, timezone]);
