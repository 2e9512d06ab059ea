import "reflect-metadata"; // what the library's own code asks for
import { webcrypto } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import type { Address } from "@atrium/runtime/config.ts";
import { type Extension, Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from "@peculiar/x509";
import type { IdentityAnswer } from "../issuer.ts";

interface Said {
  readonly token?: string | undefined;
  readonly body?: unknown;
  readonly path?: string;
  readonly method?: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  /** a problem's */
  readonly detail?: string;
  readonly answer: IdentityAnswer;
}

/** Somebody who asks the identity service, and checks who it is. */
export async function ask({ host, port }: Address, ca: string, said: Said): Promise<Answered> {
  const { token, body, path = "/v1/identity", method = "POST" } = said;
  const payload = typeof body === "string" ? body : JSON.stringify(body ?? {});
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asking = request({
      ...{ host, port, path, method, ca, servername: "operator.atrium.internal", agent: false, timeout: 15_000 },
      headers: { "content-type": "application/json", ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    });
    asking
      .once("response", resolve)
      .once("error", reject)
      .once("timeout", () => asking.destroy(new Error("timeout")));
    asking.end(method === "GET" ? undefined : payload);
  });
  const { statusCode: status = 0, headers } = response;
  const content = JSON.parse(await text(response));
  return { status, headers, detail: content.detail, answer: content };
}

const p256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

interface Asked {
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  readonly subject?: string;
  readonly more?: readonly Extension[];
  readonly algorithm?: { readonly name: string; readonly hash: string };
}

/** PEM of a signing request for these names. */
export async function csrFor({ dns = [], ip = [], subject, more = [], algorithm = p256 }: Asked): Promise<string> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
  const names = [
    ...dns.map((value) => ({ type: "dns" as const, value })),
    ...ip.map((value) => ({ type: "ip" as const, value })),
  ];
  const extensions = [...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []), ...more];
  const request = await Pkcs10CertificateRequestGenerator.create({
    ...(subject !== undefined && { name: subject }),
    keys,
    signingAlgorithm: algorithm,
    extensions,
  });
  return request.toString("pem");
}
