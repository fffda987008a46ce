/** What a function may have loaded once it has started: each start of a pod pays for it, and each pod's memory. */

/** Code in bytes, a tenth above what it was when it was last looked at. */
export const EAGER_BYTES = 3_050_000;

/** Why they are loaded, and who; most come along with others. */
const REASONS: Record<string, string> = {
  'the functions framework, which each function is written for': `
    @google-cloud/functions-framework minimist`,
  'express, which the framework serves with': `
    express accepts content-disposition content-type cookie cookie-signature depd encodeurl
    escape-html etag finalhandler forwarded fresh ipaddr.js is-promise media-typer merge-descriptors
    mime-db mime-types negotiator on-finished ee-first once wrappy parseurl path-to-regexp
    proxy-addr range-parser router send serve-static type-is vary`,
  'body-parser, which the framework puts in front of a function': `
    body-parser bytes http-errors inherits setprototypeof statuses toidentifier iconv-lite
    safer-buffer raw-body unpipe`,
  'qs, which express and body-parser read queries with': `
    qs side-channel side-channel-list side-channel-map side-channel-weakmap object-inspect
    call-bind-apply-helpers call-bound dunder-proto es-define-property es-errors es-object-atoms
    async-function async-generator-function generator-function function-bind get-intrinsic get-proto
    gopd has-symbols hasown math-intrinsics`,
  'the queue': `
    bullmq msgpackr node-abort-controller semver tslib`,
  "BullMQ's jobs that repeat, which it cannot be had without": `
    cron-parser luxon`,
  'the client of Redis': `
    ioredis @ioredis/commands cluster-key-slot denque redis-errors standard-as-callback debug ms`,
  'the log': `
    pino @pinojs/redact atomic-sleep on-exit-leak-free pino-std-serializers quick-format-unescaped
    safe-stable-stringify sonic-boom thread-stream`,
  "GitHub's signatures": `
    @octokit/webhooks-methods`,
  'configuration and requests are checked with it': `
    zod`,
};

export const EAGER_PACKAGES: readonly string[] = Object.values(REASONS).flatMap((names) =>
  names.trim().split(/\s+/),
);
