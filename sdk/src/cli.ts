#!/usr/bin/env node
import manifest from "../package.json" with { type: "json" };
import { run } from "./cli/program.ts";

// A reader that has enough (`at scan … | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

process.exitCode = await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  currentDirectory: process.cwd(),
  version: manifest.version,
});
