/** Callbacks: what a request says of where the end of its job is to be told, and what answers show of the telling. */
import { z } from 'zod';

/** The ends that a job can come to, as the `type` of the message that tells of one. */
export const CALLBACK_EVENTS = ['job.completed', 'job.aborted', 'job.failed'] as const;
export type CallbackEvent = (typeof CALLBACK_EVENTS)[number];

const MAX_URL_CHARS = 2_000;
const URL_HINT = `Input should be an https URL of at most ${MAX_URL_CHARS} characters`;
const SECRET_HINT = 'Input should be "whsec_" and then 24 to 64 random bytes in base64';
const EVENTS_HINT = `Input should be a list with some of ${CALLBACK_EVENTS.join(', ')}`;

/** What is wrong with the form of a URL that the service is to call; the caller is told nothing of the URL itself. */
function urlProblem(url: URL | null): string | undefined {
  if (url?.protocol !== 'https:') return URL_HINT;
  if (url.username !== '' || url.password !== '') return 'The URL should have no user and no password';
  return url.hash === '' ? undefined : 'The URL should have no fragment';
}

const callbackUrl = z
  .string(URL_HINT)
  .max(MAX_URL_CHARS, URL_HINT)
  .transform((text, context) => {
    const url = URL.parse(text);
    const problem = urlProblem(url);
    // As it was understood: whoever checks its host and whoever calls it see the same.
    if (url && problem === undefined) return url.href;
    context.addIssue({ code: 'custom', message: problem ?? URL_HINT });
    return z.NEVER;
  })
  .meta({
    format: 'uri',
    description: 'Where the message is posted to: https, a host that the service allows.',
  });

const PADDED_BASE64 = /^whsec_((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/;

function isSecret(text: string): boolean {
  const [, base64] = PADDED_BASE64.exec(text) ?? [];
  const { length } = atob(base64 ?? '');
  return length >= 24 && length <= 64;
}

/** The `callback` of a submission. */
export const callbackRequest = z
  .object(
    {
      url: callbackUrl,
      secret: z.string(SECRET_HINT).refine(isSecret, SECRET_HINT).meta({
        description: 'The key of the signature, as Standard Webhooks writes it; it is never shown.',
      }),
      events: z
        .array(z.enum(CALLBACK_EVENTS, EVENTS_HINT), EVENTS_HINT)
        .min(1, EVENTS_HINT)
        .nullish()
        .transform((events) => CALLBACK_EVENTS.filter((event) => events?.includes(event) ?? true))
        .meta({ description: 'Which ends of the job to tell of. Absent or null: all.' }),
    },
    'Input should be an object with url and secret',
  )
  .nullish()
  .transform((callback) => callback ?? undefined)
  .meta({
    description:
      'Where the end of the job is to be told, by a message that is signed as Standard Webhooks says.',
  });
export type CallbackRequest = NonNullable<z.output<typeof callbackRequest>>;

/** As it is shown: a query may hold what only the receiver should know. */
export const shownCallback = z.object({
  url: z.string().meta({ description: 'Where it is told, without the query.' }),
  events: z.array(z.enum(CALLBACK_EVENTS)).meta({ description: 'Which ends are told.' }),
});

export const showCallback = ({ url, events }: CallbackRequest): z.output<typeof shownCallback> => ({
  url: url.replace(/\?.*$/s, ''),
  events,
});

const CALLBACK_STATES = ['waiting', 'delivering', 'delivered', 'failed', 'skipped'] as const;

/** How far the telling has come. Times are ISO 8601 in UTC. */
export const callbackDelivery = z.object({
  state: z.enum(CALLBACK_STATES).meta({
    description:
      '`waiting` for the end, `delivering` until a receiver took it, `failed` when none did, `skipped` as it was not asked for.',
  }),
  attempts: z.number().int().meta({ description: 'How often it was sent.' }),
  last_attempt_time: z.iso.datetime().optional(),
  last_status: z.number().int().optional().meta({ description: "The receiver's last HTTP status." }),
  last_error: z.string().optional().meta({ description: 'Why the last attempt failed.' }),
});
export type CallbackDelivery = z.output<typeof callbackDelivery>;

/** The `callback` of an answer. */
export const callbackRecord = shownCallback.extend(callbackDelivery.shape);
export type CallbackRecord = z.output<typeof callbackRecord>;
