/** Which hosts the service may call on behalf of callers: by name, before anything is looked up or sent. */
import { isIP } from 'node:net';

/** An entry of an allow-list. */
export interface AllowedHost {
  /** `hooks.example.org`, `*.example.org` for all hosts below a domain, `*` for all hosts. */
  name: string;
  port: number;
  /** Whether its address may be one of the platform's own. */
  isInternal: boolean;
}
export type AllowedHosts = readonly AllowedHost[];

const HTTPS_PORT = 443;
const LABEL = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
/** The last label begins with a letter: an address in whatever form is no name. */
const ENTRY = new RegExp(
  `^(?<internal>internal:)?(?<name>\\*|(?:\\*\\.)?(?:${LABEL}\\.)*[a-z](?:[a-z0-9-]*[a-z0-9])?)(?::(?<port>\\d{1,5}))?$`,
);

/** @returns undefined when the text is no entry */
export function allowedHost(text: string): AllowedHost | undefined {
  const { internal, name, port } = ENTRY.exec(text.trim().toLowerCase())?.groups ?? {};
  // Whoever may name any host may name one that leads inside.
  if (name === undefined || (name === '*' && internal)) return undefined;
  return { name, port: port === undefined ? HTTPS_PORT : Number(port), isInternal: internal !== undefined };
}

/** @returns the entries that a host at a port is allowed by */
export function entriesFor(hosts: AllowedHosts, hostname: string, port: number): AllowedHost[] {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  if (name === '' || name.startsWith('[') || isIP(name) !== 0) return [];
  const names = (entry: string): boolean =>
    entry === '*' || entry === name || (entry.startsWith('*.') && name.endsWith(entry.slice(1)));
  return hosts.filter((entry) => entry.port === port && names(entry.name));
}

/** The port of an https URL. */
export const portOf = ({ port }: Pick<URL, 'port'>): number => (port === '' ? HTTPS_PORT : Number(port));

/** Whether an https URL may be called at all; the address that its host turns out to have is another matter. */
export const isAllowedUrl = (hosts: AllowedHosts, url: URL): boolean =>
  url.protocol === 'https:' && entriesFor(hosts, url.hostname, portOf(url)).length > 0;
