import { availableParallelism } from "node:os";

export default {
  // Two on two cores, where jest would take one: much of what is tested waits.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  testMatch: ["**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/", "/dist/", "/\\.atrium/"],
  modulePathIgnorePatterns: ["/dist/", "/\\.atrium/"],
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "\\.ts$": ["@swc/jest", { jsc: { parser: { syntax: "typescript" }, target: "esnext" }, module: { type: "es6" } }],
  },
  testTimeout: 30_000,
};
