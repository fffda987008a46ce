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
  fileParallelism: false,
  testTimeout: 60_000,
  hookTimeout: 90_000,
};

export default defineConfig({
  test: {
    retry: 0,
    passWithNoTests: false,
    projects: [
      project('unit'),
      project('redis', onRedis),
      project('lab', onPlatform),
      project('e2e', onPlatform),
    ],
  },
});
