import { defineConfig } from 'vitest/config';

/** One project per tier: what a test needs to run decides its folder. */
const project = (name: string, extra: object = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], ...extra },
});

/** Last, so that it ends first what tests have left. */
const RUN = 'test/support/global-run.ts';
// vitest would leave a core to itself, and take one of two.
const AT_ONCE = 2;
const onRedis = {
  globalSetup: ['test/support/global-redis.ts', RUN],
  testTimeout: 20_000,
  maxWorkers: AT_ONCE,
};

// Labs and kernels share two cores: files one after the other, or their waits would be each other's.
const onPlatform = {
  globalSetup: ['test/support/global-platform.ts', RUN],
  provide: { labKind: 'std6' },
  fileParallelism: false,
  testTimeout: 60_000,
  hookTimeout: 90_000,
};

/** Tests that are the same for each kind of lab. Slow: `npm run test:kinds`, with bounds in seconds, and `test:fidelity`. */
const onKind = (tier: string, labKind: string, ...include: string[]) =>
  project(`${tier}-${labKind}`, { ...onPlatform, include, provide: { labKind } });
/** On fake platforms, most of the time waiting: a few files at a time. The small matrix is a quick tier. */
const withFaults = (name: string, faultScope: 'small' | 'whole', extra: object) =>
  project(name, {
    globalSetup: FAULTS_AND_REDIS,
    provide: { faultScope, labKind: 'std6' },
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    ...extra,
  });
const FAULTS_AND_REDIS = ['test/faults/global.ts', ...onRedis.globalSetup];
const OF_KERNELS = 'test/kinds/*.test.ts';
/** What callers see of a kind; the tier e2e has it for std6. */
const OVER_HTTP = 'test/e2e/{control,kernel-death,limits,live,main-job}.test.ts';
const DIFFERENTIAL = 'test/fidelity/differential.test.ts';

export default defineConfig({
  test: {
    retry: 0,
    passWithNoTests: false,
    projects: [
      // Their bound is for a hang: a busy machine takes its time for what only computes.
      project('unit', { testTimeout: 20_000, maxWorkers: AT_ONCE }),
      project('redis', onRedis),
      project('pages', onRedis),
      project('lab', onPlatform),
      project('e2e', onPlatform),
      // `npm start`, which brings its own platform.
      project('start', {
        globalSetup: ['test/start/global.ts', RUN],
        fileParallelism: false,
        testTimeout: 60_000,
        hookTimeout: 90_000,
      }),
      onKind('kinds', 'std6', OF_KERNELS),
      onKind('kinds', 'std7', OF_KERNELS, OVER_HTTP),
      onKind('kinds', 'jsd', OF_KERNELS, OVER_HTTP),
      onKind('kinds', 'ext', 'test/kinds/ext/*.test.ts'),
      onKind('fidelity', 'std6', 'test/fidelity/*.test.ts'),
      onKind('fidelity', 'std7', DIFFERENTIAL),
      // Its labs have no limit of rates in front of what the executor takes.
      onKind('fidelity', 'jsd', DIFFERENTIAL, 'test/fidelity/prints.test.ts'),
      project('cluster', {
        globalSetup: ['test/cluster/global.ts', RUN],
        fileParallelism: false,
        testTimeout: 900_000,
      }),
      withFaults('faults', 'small', { include: ['test/faults/{,control/}*.test.ts'] }),
      withFaults('faults-whole', 'whole', {
        include: ['test/faults/{,control/,whole/}*.test.ts'],
        globalSetup: [...FAULTS_AND_REDIS, ...onPlatform.globalSetup],
      }),
      project('contract', { ...onPlatform, globalSetup: ['test/contract/global.ts', RUN] }),
      // The command, against the same service.
      project('cli', { ...onPlatform, globalSetup: ['test/contract/global.ts', RUN] }),
      project('action', {
        ...onPlatform,
        globalSetup: ['test/contract/global.ts', 'test/action/global.ts', RUN],
      }),
      project('fuzz', {
        globalSetup: [...onRedis.globalSetup, 'test/fuzz/global.ts'],
        fileParallelism: false,
        testTimeout: 600_000,
        hookTimeout: 60_000,
      }),
      withFaults('soak', 'whole', { include: ['test/faults/soak/*.test.ts'] }),
    ],
  },
});
