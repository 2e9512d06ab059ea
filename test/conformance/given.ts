import { createDecipheriv } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { activated, addressOf } from "./local.ts";
import type { Account, Given } from "./target.ts";
import type { Endpoint } from "./wire.ts";

export interface GivenAtSign {
  readonly atSign: string;
  /** an .atKeys file */
  readonly keys?: string;
  /** activates it */
  readonly secret?: string;
}

/** A server that runs already, and what the rows may use of it. Addresses are `host:port`, the others names of files. */
export interface Named {
  readonly directory?: string;
  readonly ca?: string;
  readonly dial?: string;
  readonly platform?: string;
  readonly self: GivenAtSign;
  readonly peer?: GivenAtSign;
  readonly certificate?: { readonly cert: string; readonly key: string };
  readonly fresh: readonly GivenAtSign[];
}

interface Place {
  readonly directory: Endpoint;
  /** where every atServer is reached; undefined: where the directory says */
  readonly dial: { readonly host: string; readonly port: number } | undefined;
}

/** Finds the atServers, and activates what is to be. */
export async function givenTarget(given: Named): Promise<Given> {
  const place = placeOf(given);
  const { self, peer, certificate, fresh } = given;
  const [carol, dave, erin] = await Promise.all(fresh.map((each) => accountOf(each, place)));
  const shown = certificate && { cert: read(certificate.cert), key: read(certificate.key) };
  return {
    directory: place.directory,
    accounts: {
      alice: await loginOf(self, place),
      ...(peer !== undefined && { bob: { ...(await loginOf(peer, place)), certificate: shown } }),
      ...(carol !== undefined && { carol }),
      ...(dave !== undefined && { dave }),
      ...(erin !== undefined && { erin }),
    },
  };
}

function placeOf({ directory = "", ca, dial, platform }: Named): Place {
  if (platform === undefined) {
    const { host, port } = parseAddress(directory);
    const trusted = ca === undefined ? undefined : read(ca);
    const to = host.endsWith(".localhost") ? "127.0.0.1" : host;
    return {
      directory: { host: to, port, servername: host, ca: trusted },
      dial: dial === undefined ? undefined : parseAddress(dial),
    };
  }
  const file = JSON.parse(read(platform));
  const trusted = read(resolve(dirname(platform), file.ca));
  const { host, port } = file.directory;
  const to = host.endsWith(".localhost") ? "127.0.0.1" : host;
  return { directory: { host: to, port, servername: host, ca: trusted }, dial: file.gateway };
}

async function accountOf({ atSign, secret }: GivenAtSign, { directory, dial }: Place): Promise<Account> {
  const found = await addressOf(directory, atSign);
  const { host, port } = dial ?? found;
  return { atSign, secret, endpoint: { host, port, servername: found.host, ca: directory.ca } };
}

async function loginOf(given: GivenAtSign, place: Place): Promise<Account> {
  const account = await accountOf(given, place);
  if (given.keys !== undefined) return { ...account, ...keysOf(given.keys) };
  return given.secret === undefined ? account : await activated(account);
}

/** The PKAM key of an .atKeys file: AES-256-CTR with the self encryption key and an IV of zeros, padded as PKCS#7. */
function keysOf(file: string): Pick<Account, "pkamKey" | "enrollmentId"> {
  const { aesPkamPrivateKey, selfEncryptionKey, enrollmentId } = JSON.parse(read(file));
  const decipher = createDecipheriv("aes-256-ctr", Buffer.from(selfEncryptionKey, "base64"), Buffer.alloc(16));
  const padded = Buffer.concat([decipher.update(aesPkamPrivateKey, "base64"), decipher.final()]);
  const pkamKey = padded.subarray(0, padded.length - (padded.at(-1) ?? 0)).toString();
  return { pkamKey, enrollmentId };
}

function parseAddress(text: string): { host: string; port: number } {
  const [, host = "", port = ""] = /^(.+):(\d+)$/.exec(text) ?? [];
  if (host === "") throw new Error(`not HOST:PORT: ${text}`);
  return { host, port: Number(port) };
}

function read(file: string): string {
  return readFileSync(file, "utf8");
}
