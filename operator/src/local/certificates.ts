import { X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "@atrium/runtime/log.ts";
import { z } from "zod";
import {
  type CertificateAuthority,
  createRoot,
  type LeafRequest,
  leafLifeMs,
  openAuthority,
} from "../identity/certificate-authority.ts";
import { isGoodLeaf } from "../identity/leaf.ts";
import { readOptional, writeAtomically } from "./files.ts";
import { StartError } from "./start-error.ts";

/** The platform's root and the certificates of its parts, in files. */
export interface Certificates extends Disposable {
  /** file with the root's certificate, for clients */
  readonly caFile: string;
  /** what is in that file, PEM */
  readonly ca: string;
  /** Whether the root was made at this start: clients must take up the CA file again then. */
  readonly isNew: boolean;
  /**
   * Writes certificate.pem, key.pem and trust.pem into a directory, unless what is there is still good for a third of its life;
   * and again whenever two thirds are over, until `forget`.
   *
   * @param onRenewed after each time but the first
   */
  provide(directory: string, request: LeafRequest, onRenewed?: () => void): Promise<void>;
  forget(directory: string): void;
  /** What `provide` wrote last. */
  read(directory: string): { certificate: string; key: string; trust: string };
}

const Root = z.object({ names: z.array(z.string()), certificate: z.string(), key: z.string() });

/** Often, since timers stand still while a machine sleeps. */
const renewalCheckMs = 60_000;

/**
 * @param permitted what the root must be able to speak for; when the present one cannot, there is a new one
 * @throws {StartError} when the files of the present root cannot be used
 */
export async function openCertificates({
  data,
  permitted,
  log,
  now = Date.now,
  checkMs = renewalCheckMs,
}: {
  data: string;
  permitted: readonly string[];
  log: Log;
  /** epoch milliseconds */
  now?: () => number;
  /** between two looks at what is to be renewed */
  checkMs?: number;
}): Promise<Certificates> {
  const names = [...new Set(permitted)].sort();
  const { authority, isNew } = await loadAuthority(join(data, "ca-key.json"), names, now());
  const caFile = join(data, "ca.pem");
  const ca = authority.certificate;
  /** Again and again: nothing new can start without it, should somebody have removed it. */
  const publish = () => {
    if (readOptional(caFile) !== ca) writeAtomically(caFile, ca, 0o644);
  };
  publish();
  const provided = new Map<string, { request: LeafRequest; onRenewed?: (() => void) | undefined }>();

  let renewing = false;
  const renew = async () => {
    // Two at once would both find the same certificate old.
    if (renewing) return;
    renewing = true;
    for (const [directory, { request, onRenewed }] of provided) {
      try {
        if (await writeLeaf(authority, directory, request, now())) onRenewed?.();
      } catch (error) {
        log.error({ directory, error: String(error) }, "a certificate could not be renewed");
      }
    }
    renewing = false;
  };
  const timer = setInterval(() => void renew(), checkMs).unref();
  return {
    caFile,
    ca,
    isNew,
    async provide(directory, request, onRenewed) {
      publish();
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      await writeLeaf(authority, directory, request, now());
      provided.set(directory, { request, onRenewed });
    },
    forget: (directory) => void provided.delete(directory),
    read: (directory) => ({
      certificate: readFileSync(join(directory, "certificate.pem"), "utf8"),
      key: readFileSync(join(directory, "key.pem"), "utf8"),
      trust: readFileSync(join(directory, "trust.pem"), "utf8"),
    }),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** The root and its key are one file, so that they always belong together. */
async function loadAuthority(file: string, names: readonly string[], now: number) {
  const text = readOptional(file);
  if (text !== undefined) {
    const root = Root.safeParse(parseJson(text)).data;
    const authority = root && (await openAuthority(root).catch(() => undefined));
    if (root === undefined || authority === undefined)
      throw new StartError(
        `${file} is damaged. Remove it to have a new CA made; clients must then use the new ca.pem.`,
      );
    // One that may speak for more than is asked for now stays: clients know it.
    const covers = names.every((name) => root.names.includes(name));
    if (covers && lifeLeftMs(root.certificate, now) > 2 * leafLifeMs) return { authority, isNew: false };
  }
  const root = await createRoot(names, now);
  writeAtomically(file, JSON.stringify({ names, ...root }));
  return { authority: await openAuthority(root), isNew: text !== undefined };
}

/** @returns whether there was need to */
async function writeLeaf(
  authority: CertificateAuthority,
  directory: string,
  request: LeafRequest,
  now: number,
): Promise<boolean> {
  if (isGood(directory, authority, request, now)) return false;
  const leaf = await authority.issue(request, now);
  // A reader takes a pair up when it fits together.
  writeAtomically(join(directory, "trust.pem"), authority.certificate);
  writeAtomically(join(directory, "key.pem"), leaf.key);
  writeAtomically(join(directory, "certificate.pem"), leaf.certificate);
  return true;
}

/** Whether all three files belong together, to this request and this root, for a while yet. */
function isGood(directory: string, { certificate: root }: CertificateAuthority, request: LeafRequest, now: number) {
  const read = (name: string) => readOptional(join(directory, name)) ?? "";
  const pair = { certificate: read("certificate.pem"), key: read("key.pem") };
  return read("trust.pem") === root && isGoodLeaf(pair, root, request, now);
}

function lifeLeftMs(certificate: string, now: number): number {
  return Date.parse(new X509Certificate(certificate).validTo) - now;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the caller says what to do with a damaged file
  }
}
