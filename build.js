// `npm run build [-- [--to DIRECTORY] [PART …]]`: one file per app in dist/, the same bytes for the same sources.
// The images and the benchmarks run these: Node's own type stripping would cost each process 12 MB of private memory
// (docs/decisions/0003-one-file-per-app-and-few-megabytes.md). Names inside stay as they are, so that a stack trace or a
// CPU profile of production reads like the sources.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));
const parts = {
  "server-image": "server-image/src/main.ts",
  operator: "operator/src/main.ts",
  directory: "directory/src/main.ts",
  gateway: "gateway/src/main.ts",
  tracing: "runtime/src/tracing-export.ts",
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { to: { type: "string", default: "dist" } },
});
const unknown = positionals.find((part) => !(part in parts));
if (unknown !== undefined) {
  process.stderr.write(`there is no part ${unknown}; there are ${Object.keys(parts).join(", ")}\n`);
  process.exit(1);
}
const dist = resolve(root, values.to);

mkdirSync(dist, { recursive: true });
// Parts of a part have names that change with their content.
for (const file of readdirSync(dist)) if (/^tracing-.*\.js/.test(file)) rmSync(join(dist, file));
// What lies beside the files in the images says the same of them as the repository does.
writeFileSync(join(dist, "package.json"), '{ "type": "module" }\n');
for (const part of positionals.length > 0 ? positionals : Object.keys(parts)) await bundle(part);

/** Makes `PART.js`, its source map, and the licenses of what is in it; for traces also the files that are loaded when they are wanted. */
async function bundle(part) {
  // Dependencies that are CommonJS ask for Node's modules with `require`, which an ES module does not have.
  const banner = 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);';
  const { metafile, outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [{ in: parts[part], out: part }],
    // Source maps have paths from here, and names of files a hash of those: they are the same wherever the files go.
    outdir: "dist",
    write: false,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    splitting: part === "tracing",
    chunkNames: "tracing-[name]-[hash]",
    banner: { js: banner },
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: "linked",
    sourcesContent: false,
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  for (const { path, contents } of outputFiles) writeFileSync(join(dist, basename(path)), contents);
  const packages = new Set(Object.keys(metafile.inputs).flatMap(packageOf));
  writeFileSync(join(dist, `${part}.licenses.txt`), [...packages].sort().map(license).join("\n"));
}

/** @returns the innermost folder of node_modules that a file lies in, if it does */
function packageOf(file) {
  const [folder] = /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [];
  return folder === undefined ? [] : [folder];
}

/** What a package asks to be handed on with copies of it. */
function license(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  const files = readdirSync(join(root, folder)).filter((file) => /^(?:licen[cs]e|notice)(?:\.|$)/i.test(file));
  const texts = files.sort().map((file) => readFileSync(join(root, folder, file), "utf8").trim());
  return [`== ${name} ${version} (${license})`, ...texts, ""].join("\n\n");
}
