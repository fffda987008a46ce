import packageJson from '../../package.json' with { type: 'json' };

/** What the service says of itself, in the form that Safir applications use. */
export const serviceMetadata = {
  name: 'noteburst',
  version: packageJson.version,
  description: packageJson.description,
  repository_url: packageJson.homepage,
  documentation_url: packageJson.homepage,
};
