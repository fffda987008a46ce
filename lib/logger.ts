import { pino, stdSerializers, stdTimeFunctions, type Logger, type LoggerOptions } from 'pino';

export type { Logger };

/** Whatever carries one of these names is never printed, however deep a careless `log.info({ request })` puts it. */
const SECRET_PATHS = ['token', 'authorization', 'cookie', 'headers', 'password', 'secret'].flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
]);

/**
 * Makes the process's logger: one JSON object a line, or coloured text for a person at a terminal.
 *
 * @param name which process speaks, for example "executor"
 * @param level pino's level names; Safir's upper-case names ("INFO", "WARNING") are taken too
 * @param pretty readable text instead of JSON; needs the development package pino-pretty
 */
export function createLogger(name: string, level: string, pretty: boolean): Logger {
  const options: LoggerOptions = {
    name,
    level,
    timestamp: stdTimeFunctions.isoTime,
    base: { pid: process.pid },
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: serializeError },
    redact: { paths: SECRET_PATHS, censor: '[redacted]' },
  };
  if (!pretty) return pino(options);
  // pino-pretty cannot run a formatter across its worker thread.
  const { formatters: _, ...prettyOptions } = options;
  return pino({
    ...prettyOptions,
    transport: { target: 'pino-pretty', options: { ignore: 'pid', translateTime: 'SYS:HH:MM:ss.l' } },
  });
}

/** An error without what hangs on it: an answer of Redis carries the command, and with it whole notebooks. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { type, message, stack, code } = stdSerializers.err(error) as Record<string, unknown>;
  return { type, message, stack, ...(code === undefined ? {} : { code }) };
}
