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
import { readOptional, writeAtomically } from "./files.ts";
import { StartError } from "./start-error.ts";

/** The platform's root and the certificates of its parts, in files. */
export interface Certificates extends Disposable {
  /** file with the root's certificate, for clients */
  readonly caFile: string;
  /** Whether the root was made at this start: clients must take up the CA file again then. */
  readonly isNew: boolean;
  /**
   * Writes certificate.pem, key.pem and trust.pem into a directory, unless what is there is still good for a third of its life;
   * and again whenever two thirds are over, until `forget`.
   */
  provide(directory: string, request: LeafRequest): Promise<void>;
  forget(directory: string): void;
  /** What `provide` wrote last. */
  read(directory: string): { certificate: string; key: string; trust: string };
}

const Root = z.object({ names: z.array(z.string()), certificate: z.string(), key: z.string() });

const renewalCheckMs = 600_000;

/**
 * @param permitted what the root may speak for; when that changes, there is a new root
 * @throws {StartError} when the files of the present root cannot be used
 */
export async function openCertificates({
  data,
  permitted,
  log,
}: {
  data: string;
  permitted: readonly string[];
  log: Log;
}): Promise<Certificates> {
  const names = [...new Set(permitted)].sort();
  const { root, isNew } = await loadRoot(join(data, "ca-key.json"), names);
  const caFile = join(data, "ca.pem");
  writeAtomically(caFile, root.certificate, 0o644);
  const authority = await openAuthority(root);
  const provided = new Map<string, LeafRequest>();

  const renew = async () => {
    for (const [directory, request] of provided) {
      try {
        await writeLeaf(authority, directory, request);
      } catch (error) {
        log.error({ directory, error: String(error) }, "a certificate could not be renewed");
      }
    }
  };
  const timer = setInterval(() => void renew(), renewalCheckMs).unref();
  return {
    caFile,
    isNew,
    async provide(directory, request) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      await writeLeaf(authority, directory, request);
      provided.set(directory, request);
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
async function loadRoot(file: string, names: readonly string[]) {
  const text = readOptional(file);
  if (text !== undefined) {
    const parsed = Root.safeParse(parseJson(text));
    if (!parsed.success)
      throw new StartError(
        `${file} is damaged. Remove it to have a new CA made; clients must then use the new ca.pem.`,
      );
    if (JSON.stringify(parsed.data.names) === JSON.stringify(names)) return { root: parsed.data, isNew: false };
  }
  const root = await createRoot(names, Date.now());
  writeAtomically(file, JSON.stringify({ names, ...root }));
  return { root, isNew: text !== undefined };
}

async function writeLeaf(authority: CertificateAuthority, directory: string, request: LeafRequest): Promise<void> {
  const present = readOptional(join(directory, "certificate.pem"));
  const key = readOptional(join(directory, "key.pem"));
  if (present !== undefined && key !== undefined && isGood(present, authority, request)) return;
  const leaf = await authority.issue(request, Date.now());
  // A reader takes a pair up when it fits together.
  writeAtomically(join(directory, "trust.pem"), authority.certificate);
  writeAtomically(join(directory, "key.pem"), leaf.key);
  writeAtomically(join(directory, "certificate.pem"), leaf.certificate);
}

function isGood(pem: string, { certificate }: CertificateAuthority, { dnsNames }: LeafRequest): boolean {
  const leaf = new X509Certificate(pem);
  const root = new X509Certificate(certificate);
  const names = dnsNames.map((name) => `DNS:${name}`).join(", ");
  return (
    leaf.verify(root.publicKey) &&
    leaf.subjectAltName === names &&
    Date.parse(leaf.validTo) - Date.now() > leafLifeMs / 3
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the caller says what to do with a damaged file
  }
}
