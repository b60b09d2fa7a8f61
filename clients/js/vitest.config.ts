import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.{ts,tsx}"], unstubGlobals: true, restoreMocks: true } },
      // One browser at a time, and each test with a server of its own.
      { test: { name: "browser", include: ["test/browser/**/*.test.ts"], testTimeout: 90_000, hookTimeout: 60_000, fileParallelism: false } },
    ],
  },
});
