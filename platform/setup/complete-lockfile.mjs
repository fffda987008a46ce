// Some registries serve only the packages of their own platform, and npm then leaves the others out of the lockfile, after
// which `npm ci` refuses it. This adds them: npm needs to know their version and platform, no more. Run it after `npm install`:
//
//     node platform/setup/complete-lockfile.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
const path = fileURLToPath(new URL('../../package-lock.json', import.meta.url));
const lock = JSON.parse(readFileSync(path, 'utf8'));

// By the words of a package's name: they all follow the same scheme.
const SYSTEMS = [
  'android',
  'darwin',
  'freebsd',
  'linux',
  'win32',
  'openharmony',
  'openbsd',
  'netbsd',
  'sunos',
  'aix',
];
const CPUS = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64', 'mips64el'];
const LIBCS = { musl: 'musl', musleabihf: 'musl', gnu: 'glibc', gnueabihf: 'glibc' };

let added = 0;
const unknown = [];
for (const [at, pkg] of Object.entries({ ...lock.packages })) {
  for (const [name, range] of Object.entries(pkg.optionalDependencies ?? {})) {
    if (at === '') continue;
    const where = [`${at}/node_modules/${name}`, `node_modules/${name}`];
    if (where.some((w) => lock.packages[w])) continue;
    const words = name.split('/').pop().split('-');
    const os = SYSTEMS.find((system) => words.includes(system));
    const cpu = CPUS.find((cpu) => words.includes(cpu));
    const libc = words.map((word) => LIBCS[word]).find(Boolean);
    if (!os || !cpu) {
      unknown.push(`${name} (wanted by ${at})`);
      continue;
    }
    lock.packages[`node_modules/${name}`] = {
      version: range.replace(/^[\^~]/, ''),
      cpu: [cpu],
      ...(pkg.dev && { dev: true }),
      ...(libc && { libc: [libc] }),
      license: pkg.license,
      optional: true,
      os: [os],
    };
    added++;
  }
}
const { '': root, ...rest } = lock.packages;
lock.packages = {
  '': root,
  ...Object.fromEntries(Object.entries(rest).sort(([a], [b]) => a.localeCompare(b, 'en'))),
};
writeFileSync(path, `${JSON.stringify(lock, undefined, 2)}\n`);
console.log(`${added} added${unknown.length > 0 ? `; of an unknown platform: ${unknown.join(', ')}` : ''}`);
process.exitCode = unknown.length > 0 ? 1 : 0;
