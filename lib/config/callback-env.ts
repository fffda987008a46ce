import { z } from 'zod';
import { allowedHost } from '../outgoing/allowed-hosts.ts';
import { queueNameText } from './env.ts';

const HINT =
  'should be host names separated by commas, such as hooks.example.org, *.example.org, host:8443, internal:name.namespace.svc';

/** What submit, which notes callbacks, and the courier, which delivers them, must agree about. */
export const callbackEnv = {
  NOTEBURST_COURIER_QUEUE_NAME: queueNameText.default('courier').describe("The courier's queue."),
  NOTEBURST_CALLBACK_ALLOWED_HOSTS: z
    .string()
    .default('')
    .transform((text, context) =>
      text
        .split(',')
        .filter((item) => item.trim() !== '')
        .flatMap((item) => {
          const entry = allowedHost(item);
          if (!entry) context.addIssue({ code: 'custom', message: HINT });
          return entry ?? [];
        }),
    )
    .describe(
      'The hosts that callbacks may go to, with commas between them: `hooks.example.org`, `*.example.org`, `*` for any; with a port other than 443 `host:8443`. ' +
        'Behind `internal:` a host may have an address of the platform’s own, as `internal:times-square.times-square.svc`; others must have public ones. Without any, nobody can ask for a callback.',
    ),
};
