export default {
  testMatch: ["**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/", "/dist/", "/\\.atrium/"],
  modulePathIgnorePatterns: ["/dist/", "/\\.atrium/"],
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "\\.ts$": ["@swc/jest", { jsc: { parser: { syntax: "typescript" }, target: "esnext" }, module: { type: "es6" } }],
  },
  testTimeout: 30_000,
};
