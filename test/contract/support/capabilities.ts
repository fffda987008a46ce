import type { TestContext } from 'vitest';
import { call, notebooksUrl, server } from './client.ts';

interface Operation {
  parameters?: { name: string; in: string }[];
  responses?: Record<string, { content?: object }>;
}

/** The server's OpenAPI document, as far as it tells what the server can do. */
interface Description {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties?: object }> };
}

const { pathname } = new URL(notebooksUrl);
let description: Promise<Description> | undefined;

const described = (): Promise<Description> =>
  (description ??= call<Description>(`${server.baseUrl}/openapi.json`).then(({ json }) => json));

/** An addition to v1, and how the server's own description shows that it has it. */
export class Addition {
  readonly name: string;
  readonly #has: (description: Description) => boolean;

  private constructor(name: string, has: (description: Description) => boolean) {
    this.name = name;
    this.#has = has;
  }

  /** An operation; `below` the notebooks' path. */
  static readonly operation = (method: string, below: string): Addition => {
    const has = ({ paths }: Description) => paths[pathname + below]?.[method] !== undefined;
    return new Addition(`${method.toUpperCase()} ${pathname}${below}`, has);
  };

  /** A header of requests. */
  static readonly header = (method: string, below: string, header: string): Addition => {
    const has = ({ paths }: Description) =>
      paths[pathname + below]?.[method]?.parameters?.some(
        ({ name }) => name.toLowerCase() === header.toLowerCase(),
      ) ?? false;
    return new Addition(`the header ${header} for ${method.toUpperCase()} ${pathname}${below}`, has);
  };

  /** A field of the submission or of the answer. */
  static readonly field = (of: 'PostNotebookRequest' | 'NotebookResponse', name: string): Addition => {
    const has = ({ components }: Description) =>
      Object.hasOwn(components.schemas[of]?.properties ?? {}, name);
    return new Addition(`the field ${name} of ${of}`, has);
  };

  /** Errors in RFC 9457's form. */
  static readonly problems = new Addition('problem+json', ({ components }) =>
    Object.hasOwn(components.schemas, 'Problem'),
  );

  /** Skips the test, with the reason, where the server does not have this. */
  async orSkip({ skip, task }: TestContext): Promise<void> {
    if (this.#has(await described())) return;
    const reason = `this server does not have ${this.name}`;
    console.log(`skipped "${task.name}": ${reason}`);
    skip(reason);
  }
}
