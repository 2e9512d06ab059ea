import type { AtSign } from "@atrium/protocol";

/**
 * The public record that a path names: `/blog/demo/index.html` and `/index.html.demo.blog` are both
 * `public:index.html.demo.blog@alice`.
 *
 * @param path of the URL, still percent-encoded
 * @returns its stored name; undefined when the path is no text
 */
export function keyOfPath(path: string, atSign: AtSign): string | undefined {
  let name: string;
  try {
    name = decodeURIComponent(path).toLowerCase();
  } catch {
    return undefined;
  }
  name = name.replace(/^\/+/, "");
  // The same path works on a proxy of many atServers, where the atSign comes first.
  if (name.startsWith(`${atSign}/`)) name = name.slice(atSign.length + 1);
  if (name.startsWith("public:")) name = name.slice("public:".length);
  if (name.endsWith(atSign)) name = name.slice(0, -atSign.length);
  const parts = name.split("/").filter((part) => part !== "");
  return `public:${parts.reverse().join(".")}${atSign}`;
}

const octets = "application/octet-stream";

/** By what file names end in. */
const types: ReadonlyMap<string, string> = new Map([
  ["avif", "image/avif"],
  ["bin", octets],
  ["bmp", "image/bmp"],
  ["css", "text/css"],
  ["csv", "text/csv"],
  ["gif", "image/gif"],
  ["gz", "application/gzip"],
  ["htm", "text/html"],
  ["html", "text/html"],
  ["ico", "image/x-icon"],
  ["ics", "text/calendar"],
  ["jpeg", "image/jpeg"],
  ["jpg", "image/jpeg"],
  ["js", "text/javascript"],
  ["json", "application/json"],
  ["md", "text/markdown"],
  ["mjs", "text/javascript"],
  ["mp3", "audio/mpeg"],
  ["mp4", "video/mp4"],
  ["oga", "audio/ogg"],
  ["ogg", "audio/ogg"],
  ["ogv", "video/ogg"],
  ["otf", "font/otf"],
  ["pdf", "application/pdf"],
  ["png", "image/png"],
  ["svg", "image/svg+xml"],
  ["tar", "application/x-tar"],
  ["ttf", "font/ttf"],
  ["txt", "text/plain"],
  ["vcf", "text/vcard"],
  ["wasm", "application/wasm"],
  ["wav", "audio/wav"],
  ["webm", "video/webm"],
  ["webmanifest", "application/manifest+json"],
  ["webp", "image/webp"],
  ["woff", "font/woff"],
  ["woff2", "font/woff2"],
  ["xml", "application/xml"],
  ["zip", "application/zip"],
]);

/**
 * @param key the stored name of a public record: the second part of it is what a file name would end in
 * @param asked what the client wants to take it for
 */
export function contentType(key: string, { isBinary, asked }: { isBinary: boolean; asked: string | null }): string {
  const ending = /^public:[^.@]*\.([^.@]+)/.exec(key)?.[1] ?? "";
  const type = mediaType(asked) ?? types.get(ending) ?? (isBinary ? octets : "text/plain");
  return isBinary && !type.startsWith("text/") ? type : `${type}; charset=utf-8`;
}

/** @returns undefined when it is none; parameters are left out */
function mediaType(text: string | null): string | undefined {
  return /^\s*([\w!#$&^.+-]+\/[\w!#$&^.+-]+)\s*(?:;|$)/.exec(text ?? "")?.[1]?.toLowerCase();
}
