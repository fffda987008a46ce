import { defineConfig } from 'vitest/config';

/** One project per tier: what a test needs to run decides its folder. */
const project = (name: string, extra: object = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], ...extra },
});

export default defineConfig({
  test: {
    retry: 0,
    passWithNoTests: false,
    projects: [project('unit')],
  },
});
