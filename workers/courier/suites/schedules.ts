/** Looks at what is due of the schedules that repositories have in their suite files, and has it run. */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { suiteJobId, type SuiteJobData } from '../../../lib/contract/suite-job.ts';
import type { Logger } from '../../../lib/logger.ts';
import { runIdOf } from '../../../lib/queue/run-id.ts';
import { dueSince } from '../../../suite/schedule.ts';
import { parseSuiteFile, SUITE_FILE, SuiteError, type Schedule } from '../../../suite/suite-file.ts';
import type { CourierHandler } from '../courier-queue.ts';
import { isUnanswered, type GithubApi } from '../github/github-api.ts';
import { identityOf, lookedAt, noteLook } from './looked.ts';
import { assertSuiteFileBytes } from './planned.ts';

export interface SchedulesParts {
  redis: Redis;
  api: Pick<GithubApi, 'token' | 'ask' | 'lookFor' | 'lookForAsApp'>;
  /** `owner/*` among them are passed over: nobody says which those are. */
  repositories: readonly string[];
  /** Adds a job of the kind `suite`, unless there is one with this id. */
  add: (id: string, data: SuiteJobData) => Promise<void>;
  log: Logger;
}

const jobData = z.object({ version: z.literal(1), at_ms: z.number() });
const installationAnswer = z.object({ id: z.number() });
const repositoryAnswer = z.object({ default_branch: z.string() });
const commitAnswer = z.object({ sha: z.string() });
/** Links within the repository are followed by GitHub; the content of a file of more than 1 MB is not in it. */
const contentsAnswer = z.union([
  z.array(z.unknown()).transform(() => ({ type: 'directory' as const })),
  z.object({ type: z.literal('file'), size: z.number(), content: z.string() }),
  z.object({ type: z.enum(['symlink', 'submodule']) }),
]);

const MINUTE_MS = 60_000;
/** Less than there is between two looks. */
const MAX_LOOK_MS = 4 * MINUTE_MS;

/** Takes one of the courier's slots at most, and not for long: the others are for callbacks. */
export function scheduleKeeper(parts: SchedulesParts): CourierHandler {
  const repositories = parts.repositories.filter((name) => !name.endsWith('/*'));
  let isLooking = false;
  return async ({ data, signal }) => {
    const { at_ms: nowMs } = jobData.parse(data);
    // What a look has missed is seen by the next.
    if (isLooking) return;
    isLooking = true;
    try {
      await lookAtAll(parts, inTurn(repositories, nowMs), nowMs, signal);
    } finally {
      isLooking = false;
    }
  };
}

/** Each look begins with another, so that those for which there was no time have it some minutes later. */
function inTurn(repositories: readonly string[], nowMs: number): string[] {
  const first = Math.floor(nowMs / MINUTE_MS) % repositories.length;
  return [...repositories.slice(first), ...repositories.slice(0, first)];
}

async function lookAtAll(
  parts: SchedulesParts,
  repositories: readonly string[],
  nowMs: number,
  signal: AbortSignal,
): Promise<void> {
  const late = AbortSignal.timeout(MAX_LOOK_MS);
  const limit = AbortSignal.any([signal, late]);
  for (const repository of repositories) {
    try {
      await look(parts, repository, nowMs, limit);
    } catch (error) {
      signal.throwIfAborted();
      // The others must not wait for it, and the next look is not far.
      parts.log.warn({ err: error, repository }, 'schedules of a repository not looked at');
      if (!late.aborted && !isUnanswered(error)) continue;
      parts.log.warn('schedules of the repositories behind it are left to the next look');
      return;
    }
  }
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
  const found = await api.lookForAsApp('GET /repos/{owner}/{repo}/installation', named, signal);
  if (found === undefined) throw new Error('the app is not installed there');
  const { id: installation } = installationAnswer.parse(found);
  const token = await api.token(installation, repository, { contents: 'read' }, signal);
  const ask = (route: string, more: object = {}) => api.ask(token, route, { ...named, ...more }, signal);
  const { default_branch: branch } = repositoryAnswer.parse(await ask('GET /repos/{owner}/{repo}'));
  const { sha: commit } = commitAnswer.parse(
    await ask('GET /repos/{owner}/{repo}/commits/{ref}', { ref: branch }),
  );
  const file = { ...named, path: SUITE_FILE, ref: commit };
  const contents = await api.lookFor(token, 'GET /repos/{owner}/{repo}/contents/{path}', file, signal);
  const schedules = contents === undefined ? [] : schedulesIn(contents);
  const looked = await lookedAt(redis, repository);
  for (const schedule of schedules) {
    const identity = identityOf(schedule);
    const lookedMs = looked.get(identity);
    const due = lookedMs === undefined ? undefined : dueSince(schedule, lookedMs, nowMs);
    if (due === undefined) continue;
    const run = runIdOf(`${repository.toLowerCase()}@${identity}@${due}`);
    const common = { version: 1, run, repository, commit, installation, branch } as const;
    await parts.add(suiteJobId(run), { ...common, event: 'schedule', schedule: schedule.name });
  }
  // Behind what was added: that is added once, however often it is.
  await noteLook(redis, repository, schedules, nowMs);
}

/** @throws {SuiteError} for what is no suite file, or too large a one */
function schedulesIn(contents: unknown): Schedule[] {
  const found = contentsAnswer.parse(contents);
  if (found.type !== 'file') throw new SuiteError(`${SUITE_FILE}: is no file, but a ${found.type}`);
  assertSuiteFileBytes(found.size);
  return parseSuiteFile(Buffer.from(found.content, 'base64').toString(), SUITE_FILE).schedules;
}
