import { defineConfig } from 'vitest/config';

/** One project per tier: what a test needs to run decides its folder. */
const project = (name: string, extra: object = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], ...extra },
});

const onRedis = { globalSetup: 'test/support/global-redis.ts', testTimeout: 20_000 };

// Labs and kernels share two cores: files one after the other, or their waits would be each other's.
const onPlatform = {
  globalSetup: 'test/support/global-platform.ts',
  provide: { labKind: 'std6' },
  fileParallelism: false,
  testTimeout: 60_000,
  hookTimeout: 90_000,
};

/** The tests of kernels are the same for each kind of lab. Slow, and with bounds in seconds: `npm run test:kinds`. */
const onKind = (labKind: string, include = 'test/kinds/*.test.ts') =>
  project(`kinds-${labKind}`, { ...onPlatform, include: [include], provide: { labKind } });

export default defineConfig({
  test: {
    retry: 0,
    passWithNoTests: false,
    projects: [
      project('unit'),
      project('redis', onRedis),
      project('lab', onPlatform),
      project('e2e', onPlatform),
      onKind('std6'),
      onKind('std7'),
      onKind('jsd'),
      onKind('ext', 'test/kinds/ext/*.test.ts'),
      project('fidelity', onPlatform),
    ],
  },
});
