/** Which patterns of files are taken, in suite files and on the command line. */

const MAX_CHARS = 256;
/** Of each kind, where they stand for anything: what a pattern takes grows with the length of a path to the power of them. */
const MAX_STARS = 3;
const MAX_BRACES = 2;

/**
 * What is wrong with a pattern. Those of a repository may be anyone's, and some would be tried for hours: there are bounds on
 * what makes them slow, and none of it is of use in the names of notebooks.
 */
export function patternProblem(pattern: string): string | undefined {
  const plain = pattern.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  if (plain === '' || plain === '.') return 'is no pattern of files';
  if (pattern.length > MAX_CHARS) return `should have ${MAX_CHARS} characters at most`;
  if (/[?*+@!]\(/.test(pattern)) return 'has an extended pattern such as +(…), which is not taken';
  const parts = plain.split('/');
  if (parts.filter((part) => part === '**').length > MAX_STARS)
    return `should have ** ${MAX_STARS} times at most`;
  if (parts.some((part) => part !== '**' && part.split('*').length - 1 > MAX_STARS)) {
    return `should have ${MAX_STARS} times * at most between two slashes`;
  }
  if (plain.split('{').length - 1 > MAX_BRACES) return `should have {…} ${MAX_BRACES} times at most`;
  return undefined;
}
