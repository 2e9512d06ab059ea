import { type RequestOptions, request } from "node:https";
import type { Pair } from "../../../test/kit/certificates.ts";

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

interface Options {
  readonly port: number;
  readonly ca: string;
  /** undefined: without a certificate */
  readonly identity: Pair | undefined;
}

/** One request to the admin API, on a connection of its own. */
export function askAdmin(
  { port, ca, identity }: Options,
  method: string,
  path: string,
  body?: unknown,
  options: RequestOptions = {},
): Promise<AdminAnswer> {
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: "127.0.0.1",
        port,
        path,
        method,
        ca,
        servername: "directory.atrium.internal",
        agent: false,
        ...(identity !== undefined && { cert: identity.certificate, key: identity.key }),
        ...options,
      },
      async (response) => {
        try {
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, body: JSON.parse((await response.setEncoding("utf8").toArray()).join("")) });
        } catch (error) {
          reject(error);
        }
      },
    );
    sent.on("error", reject);
    sent.end(text);
  });
}
