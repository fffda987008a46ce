/** HTML that is safe by the way it is made: whatever is put into a template is text, unless it is HTML itself. */

/** Made by {@link markup}, or by a library that escapes or sanitizes. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What is absent or false is left out. */
export type Content = Html | string | number | false | undefined | readonly Content[];

/** For text between tags and for attributes in double quotes; nowhere else is anything to be put. */
export function markup(strings: TemplateStringsArray, ...contents: Content[]): Html {
  return new Html(String.raw({ raw: strings }, ...contents.map(textOf)));
}

export const NOTHING = new Html('');

function textOf(content: Content): string {
  if (content instanceof Html) return content.text;
  if (content === undefined || content === false) return '';
  if (typeof content === 'object') return content.map(textOf).join('');
  return String(content).replaceAll(/[&<>"']/g, (character) => ESCAPES[character] as string);
}

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
