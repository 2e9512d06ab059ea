#!/usr/bin/env node
import manifest from "../package.json" with { type: "json" };
import { run } from "./cli/program.ts";

// A reader that has enough (`at scan … | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

/** Ctrl-C ends a program at once, unless a command has something to finish. */
function interrupted(): AbortSignal {
  const enough = new AbortController();
  process.once("SIGINT", () => enough.abort());
  process.once("SIGTERM", () => enough.abort());
  return enough.signal;
}

process.exitCode = await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  interrupted,
  environment: process.env,
  currentDirectory: process.cwd(),
  version: manifest.version,
});
