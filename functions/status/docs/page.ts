/** The OpenAPI document as one HTML page that needs no script. */
import type { OpenApiDocument, Operation, Response } from '../../../lib/contract/openapi-document.ts';
import type { JsonSchema } from '../../../lib/contract/openapi-schemas.ts';
import type { ApiReply } from '../../../lib/http/handler.ts';
import { head, Inline } from '../../../lib/html/document.ts';
import { markup, type Content, type Html } from '../../../lib/html/markup.ts';
import { colours } from '../../../lib/html/colours.ts';
import { documentHeaders } from '../pages/page.ts';
import { style } from './style.ts';

const STYLE = new Inline(colours + style);
const POLICY = [
  "default-src 'none'",
  `style-src ${STYLE.source}`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** @param documentPath where the document itself is served */
export function referencePage(document: OpenApiDocument, documentPath: string): ApiReply {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  const { title, version, description } = document.info;
  const content = markup`${head(`${title} API`, STYLE)}
<body>
<header><h1>${title} ${version}</h1><p>${prose(description)}</p>
<p>For programs: <a href="${documentPath}">openapi.json</a></p></header>
<nav aria-label="Operations"><ul>${operations.map(
    ({ method, path, operation }) => markup`
<li><span class="method">${method}</span><a href="#${operation.operationId}"><code>${path}</code></a>
${prose(operation.summary)}</li>`,
  )}
</ul></nav>
<main>
${operations.map(({ method, path, operation }) => section(document, method, path, operation))}
<h2 id="schemas">Schemas</h2>
${Object.entries(document.components.schemas).map(([name, schema]) => namedSchema(name, schema))}
</main>
</body>
</html>
`;
  return {
    status: 200,
    headers: documentHeaders(POLICY),
    body: { type: 'text/html; charset=utf-8', content: content.text },
  };
}

function section(document: OpenApiDocument, method: string, path: string, operation: Operation): Html {
  const { operationId, parameters = [], requestBody, responses } = operation;
  const body = requestBody?.content['application/json'];
  const fields = parameters.map((parameter): Content[] => [
    markup`<code>${parameter.name}</code>`,
    parameter.in,
    typeOf(parameter.schema),
    prose(parameter.description),
  ]);
  return markup`<section aria-labelledby="${operationId}">
<h2 id="${operationId}">${prose(operation.summary)}</h2>
<p><span class="method">${method}</span><code>${path}</code></p>
<p>${prose(operation.description)}</p>
${fields.length > 0 && markup`<h3>Parameters</h3>${table(['name', 'in', 'type', 'meaning'], fields)}`}
${body && markup`<h3>Body</h3><p>${typeOf(body.schema)}</p>${examples(body.examples)}`}
<h3>Answers</h3>
${Object.entries(responses).map(([status, response]) => answer(status, resolved(document, response)))}
</section>`;
}

function answer(status: string, { description, headers = {}, content = {} }: Response): Html {
  const kinds = Object.entries(content).map(
    ([type, { schema }]) => markup`<br><code>${type}</code>: ${typeOf(schema)}`,
  );
  const names = Object.keys(headers).map((name) => markup` <code>${name}</code>`);
  return markup`<p><strong>${status}</strong> ${prose(description)}${kinds}
${names.length > 0 && markup`<br>headers:${names}`}</p>
${Object.values(content).map((one) => examples(one.examples))}`;
}

function resolved(document: OpenApiDocument, response: Response | { $ref: string }): Response {
  if (!('$ref' in response)) return response;
  return document.components.responses[nameOf(response.$ref)] ?? { description: '' };
}

const examples = (all: Record<string, { summary?: string; value: unknown }> = {}): Html[] =>
  Object.entries(all).map(([name, { summary = name, value }]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value, undefined, 2);
    return markup`<details><summary>Example: ${summary}</summary><pre>${text}</pre></details>`;
  });

function namedSchema(name: string, schema: JsonSchema): Html {
  const shapes = (schema.oneOf ?? [schema]).map(({ properties = {}, required = [] }, n) => {
    const rows = Object.entries(properties).map(([field, of]): Content[] => [
      markup`<code>${field}</code>${required.includes(field) && ' *'}`,
      typeOf(of),
      prose(of.description),
    ]);
    return markup`${n > 0 && markup`<p>or</p>`}${table(['field', 'type', 'meaning'], rows)}`;
  });
  return markup`<section aria-labelledby="${name}"><h3 id="${name}">${name}</h3>${shapes}</section>`;
}

/** A type in a few words. */
function typeOf(schema: JsonSchema = {}): Content {
  if (schema.$ref !== undefined) {
    const name = nameOf(schema.$ref);
    return markup`<a href="#${name}">${name}</a>`;
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map((choice, n) => [n > 0 && ' or ', typeOf(choice)]);
  const values = schema.const === undefined ? schema.enum : [schema.const];
  if (values) return values.map((value) => markup`<code>${JSON.stringify(value)}</code> `);
  if (schema.items) return ['list of ', typeOf(schema.items)];
  const { type = 'anything', format, default: absent } = schema;
  const more = [
    format,
    schema['contentMediaType'],
    absent === undefined ? undefined : `default ${JSON.stringify(absent)}`,
  ].filter((word) => word !== undefined);
  return `${[type].flat().join(' or ')}${more.length > 0 ? ` (${more.map(String).join(', ')})` : ''}`;
}

const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);

function table(heads: string[], rows: Content[][]): Html {
  const names = heads.map((text) => markup`<th scope="col">${text}</th>`);
  const lines = rows.map((cells) => markup`<tr>${cells.map((cell) => markup`<td>${cell}</td>`)}</tr>`);
  return markup`<div class="scroll"><table><thead><tr>${names}</tr></thead><tbody>${lines}</tbody></table></div>`;
}

/** Text whose words in backquotes are code. */
const prose = (text = ''): Html[] =>
  text.split('`').map((part, n) => (n % 2 === 0 ? markup`${part}` : markup`<code>${part}</code>`));
