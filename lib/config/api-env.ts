import { z } from 'zod';
import { httpUrl } from './env.ts';

/** Where callers find the API. */
export const apiEnv = {
  NOTEBURST_PATH_PREFIX: z
    .string()
    .regex(/^\/[\w./-]*[\w-]$/, 'should be a path such as /noteburst')
    .default('/noteburst')
    .describe('Where the ingress serves the API.'),
  NOTEBURST_ENVIRONMENT_URL: httpUrl.describe('The base URL of the science platform, as callers see it.'),
};

/** @returns for example https://data.example.org/noteburst/v1 */
export const apiUrl = (env: z.output<z.ZodObject<typeof apiEnv>>): string =>
  `${env.NOTEBURST_ENVIRONMENT_URL}${env.NOTEBURST_PATH_PREFIX}/v1`;
