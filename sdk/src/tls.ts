import { isIP } from "node:net";
import { checkServerIdentity, connect, type TLSSocket } from "node:tls";
import { ClientError, systemCode } from "./errors.ts";
import { type Address, formatAddress } from "./platform.ts";

/** A server that is reached over TLS. */
export interface Endpoint {
  /** for messages: "the directory", "the atServer of @alice" */
  readonly what: string;
  /** the name and port by which the server is known; its certificate must be valid for the name */
  readonly address: Address;
  /** where the TCP connection goes */
  readonly dial: Address;
  /** PEM; without it, the CAs that Node trusts */
  readonly ca?: string | undefined;
}

/**
 * Connects, with the certificate checked against the endpoint's name, which is also the SNI.
 *
 * @param timeoutMs for TCP connection and TLS handshake together
 * @throws {ClientError} `unreachable`, `timeout` or `untrusted`
 */
export function openTls(endpoint: Endpoint, timeoutMs: number): Promise<TLSSocket> {
  const { address, dial, ca } = endpoint;
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connect({
    host: dial.host,
    port: dial.port,
    ca,
    // RFC 6066 knows no server name that is an address.
    ...(isIP(address.host) === 0 && { servername: address.host }),
    checkServerIdentity: (_dialled, certificate) => checkServerIdentity(address.host, certificate),
  });
  const settle = () => {
    clearTimeout(timer);
    socket.off("error", failed).off("close", closed).off("secureConnect", connected);
  };
  const fail = (error: ClientError) => {
    settle();
    // What it has to say after its failure is known already.
    socket.on("error", () => undefined).destroy();
    reject(error);
  };
  const failed = (error: Error) => fail(connectFailure(endpoint, error, socket.authorizationError));
  const closed = () => failed(new Error("it closed the connection"));
  const connected = () => {
    settle();
    resolve(socket.setNoDelay());
  };
  const timer = setTimeout(() => fail(late(endpoint, timeoutMs)), timeoutMs);
  socket.once("error", failed).once("close", closed).once("secureConnect", connected);
  return promise;
}

function late({ what, dial }: Endpoint, timeoutMs: number): ClientError {
  return new ClientError(
    "timeout",
    `${what} at ${formatAddress(dial)} did not accept the connection within ${timeoutMs / 1000} s`,
    {
      advice: "Check the address and the network, or allow more time with --timeout SECONDS.",
    },
  );
}

function connectFailure(endpoint: Endpoint, cause: Error, untrusted: Error | string | null): ClientError {
  const { what, address, dial } = endpoint;
  if (untrusted) {
    return new ClientError(
      "untrusted",
      `the certificate of ${what} (${address.host}) cannot be trusted: ${cause.message}`,
      {
        cause,
        advice: "Name the CA of this platform with --ca FILE or --platform FILE; do not go on if it is the right one.",
      },
    );
  }
  const code = systemCode(cause);
  const fault = (code === undefined ? undefined : faults[code]) ?? cause.message;
  return new ClientError("unreachable", `${what} cannot be reached at ${formatAddress(dial)}: ${fault}`, {
    cause,
    advice:
      code === "ERR_SSL_TLSV1_UNRECOGNIZED_NAME" ? undefined : "Is the platform running, and is the address right?",
  });
}

const faults: Record<string, string | undefined> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was reset",
  EHOSTUNREACH: "no route to that host",
  ENETUNREACH: "no route to that network",
  ENOTFOUND: "the name does not resolve",
  EAI_AGAIN: "the name cannot be resolved at the moment",
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: "its gateway does not serve this name (yet)",
  ERR_SSL_WRONG_VERSION_NUMBER: "what listens there does not speak TLS",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "what listens there does not speak TLS",
};
