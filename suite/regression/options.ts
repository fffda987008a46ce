import { RE2JS } from 're2js';
import { z } from 'zod';

const NAME = 'should be a name of at most 64 letters, digits, "_", "-" and ".", in quotes if it is a number';

/** What the file of a suite says of how outputs are compared. */
export const regressionOptions = z
  .strictObject({
    /** The outputs in the file as it was found, or those of the last run in which the notebook passed. */
    against: z.enum(['committed', 'last']),
    /** Of `last`: under another name there are no earlier runs, so that what is different from now on is taken. */
    baseline: z
      .string(NAME)
      .regex(/^[\w-][\w.-]{0,63}$/, NAME)
      .optional(),
    /** Which cells: all that are not tagged `nbval-ignore-output`, or only those tagged `nbval-check-output`. */
    cells: z.enum(['all', 'tagged']).default('all'),
    /** Types of data of which it matters only that they are there, such as `image/*`. */
    ignore: z
      .array(z.string().regex(/^[^/\s]+\/[^/\s]+$/, 'should be a MIME type such as image/png or image/*'))
      .default(['image/*']),
    /** What is replaced in both before they are compared, after what always may vary. */
    sanitize: z
      .array(
        z.strictObject({
          /** A regular expression in RE2's syntax, which `^` and `$` take line by line. */
          match: z.string().min(1).max(1_000).superRefine(checkPattern),
          /** `$1` is the first group, `$$` a dollar. */
          replace: z.string().max(1_000),
        }),
      )
      .max(100)
      .default([]),
  })
  .refine(({ against, baseline }) => against === 'last' || baseline === undefined, {
    path: ['baseline'],
    message: 'is for "against: last": what is committed has no other name',
  });
export type RegressionOptions = z.infer<typeof regressionOptions>;

/** Takes time in proportion to the text, whatever the pattern is: those of a suite's file may be anyone's. */
export const compilePattern = (pattern: string): RE2JS => RE2JS.compile(pattern, RE2JS.MULTILINE);

function checkPattern(pattern: string, context: z.RefinementCtx): void {
  try {
    compilePattern(pattern);
  } catch (error) {
    context.addIssue({
      code: 'custom',
      message: `is no regular expression of RE2: ${(error as Error).message}`,
    });
  }
}
