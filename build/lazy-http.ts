import type { Plugin } from 'rolldown';

const NAME = '\0node:http';

/**
 * An ES module that imports `node:http` has all of its exports read, among them those that load undici: 20 ms of a cold
 * start. This imports it without them.
 */
export const lazyHttp: Plugin = {
  name: 'lazy-http',
  resolveId: {
    filter: { id: /^node:http$/ },
    handler: (_, importer, { kind }) => (kind === 'import-statement' && importer !== NAME ? NAME : undefined),
  },
  load: {
    filter: { id: new RegExp(`^${NAME}$`) },
    handler: () => {
      const all = Object.getOwnPropertyDescriptors(process.getBuiltinModule('node:http'));
      const values = Object.entries(all).flatMap(([name, property]) => ('value' in property ? name : []));
      return `const http = process.getBuiltinModule('node:http');
export const { ${values.join(', ')} } = http;
export default http;`;
    },
  },
};
