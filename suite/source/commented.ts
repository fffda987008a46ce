/** What jupytext comments out, so that the script is Python: magics, and cells that are not for scripts. */
import { OpenStrings } from './python-strings.ts';

/** A line without the sign that makes a comment of it. */
export const uncomment = (line: string): string => line.replace(/^(\s*)# ?/, '$1');

/** A magic, help, a command of the shell, or a variable that is set by one of them, behind a `#`. */
const MAGIC =
  /^\s*(?:# ?)+(?:%{1,3}[a-zA-Z]|\s*[!?]\s*[a-zA-Z.~$\\/{}]|\s*[a-zA-Z_]\w*\s*=\s*(?:%{1,3}|!)[a-zA-Z])/;
const GOES_ON = /\\\s*$/;

/** Code with its magics; behind two `#` they are comments that look like one. */
export function withMagics(source: readonly string[]): string[] {
  const strings = new OpenStrings();
  let isContinued = false;
  return source.map((line) => {
    const isMagic = !strings.areOpen && (isContinued || MAGIC.test(line));
    isContinued = isMagic && GOES_ON.test(line);
    strings.read(line);
    return isMagic ? uncomment(line) : line;
  });
}

/**
 * Whether a cell is for this kind of files. All are that say nothing else: by a tag such as `active-ipynb`, by `active="py"`,
 * or by Jupyter's mark for cells that do not run.
 */
export function isActive(kind: 'ipynb' | 'py', metadata: Record<string, unknown>): boolean {
  const { run_control: control, tags, active } = metadata;
  if (typeof control === 'object' && control !== null && Reflect.get(control, 'frozen') === true)
    return kind === 'ipynb';
  const tag = Array.isArray(tags) ? tags.find((each) => String(each).startsWith('active-')) : undefined;
  if (tag !== undefined) return String(tag).split('-').includes(kind);
  return typeof active !== 'string' || active.split(/[.,]/).includes(kind);
}
