/**
 * Plain writes within a transaction, as a script: Redis refuses a script's writes when the script runs, and a plain
 * write when it is queued, which discards the whole transaction. BullMQ's scripts would then not be known to Redis, and
 * be taken for known, as ioredis sends their text once on each connection.
 */

/** A command that writes a key. */
export interface KeyWrite {
  command: string;
  key: string;
  args: readonly (string | number | Buffer)[];
}

const WRITE = `
local at = 1
for _, key in ipairs(KEYS) do
  local command, count = ARGV[at], tonumber(ARGV[at + 1])
  redis.call(command, key, unpack(ARGV, at + 2, at + 1 + count))
  at = at + 2 + count
end`;

/** The arguments of the EVAL that makes all of these writes. */
export const writeArgs = (writes: readonly KeyWrite[]): (string | number | Buffer)[] => [
  WRITE,
  writes.length,
  ...writes.map(({ key }) => key),
  ...writes.flatMap(({ command, args }) => [command, args.length, ...args]),
];
