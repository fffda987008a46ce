import { dirname } from 'node:path';
import { RUN_VARIABLE } from '../process/leftovers.ts';

/** What a pod or a system service would have anyway; everything else a process gets is given to it by name. */
const INHERITED = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'USER',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
];

/** The small environment of the platform's processes: never all of `process.env`, so that nothing can depend on it. */
export function baseEnv(runId: string, from: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const env: Record<string, string> = { [RUN_VARIABLE]: runId };
  for (const name of INHERITED) {
    const value = from[name];
    if (value !== undefined) env[name] = value;
  }
  // The same Node for whoever looks for one by name.
  env['PATH'] = [dirname(process.execPath), env['PATH']].filter(Boolean).join(':');
  return env;
}
