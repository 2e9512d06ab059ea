import { once } from "node:events";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { one, two } from "@atrium/runtime/tls-files.vectors.ts";
import { afterAll, expect, test } from "@jest/globals";
import { plugChainLeak, shownCertificate } from "./peer-certificate.ts";

/** The server's side of a connection on which a certificate was shown, or none. */
async function accepted(shown: { cert?: string; key?: string }, ca: string) {
  const server = createServer({
    cert: one.certificate,
    key: one.key,
    ca,
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connectTcp((server.address() as AddressInfo).port, "127.0.0.1");
  const client = connect({ socket, servername: "one.test", rejectUnauthorized: false, ...shown });
  const [connection] = (await once(server, "secureConnection")) as [TLSSocket];
  return {
    connection,
    async [Symbol.asyncDispose]() {
      client.destroy();
      if (!connection.closed) await once(connection.resume(), "close");
      server.close();
    },
  };
}

const unplug = plugChainLeak();
// Other test files run in this process after this one.
afterAll(() => unplug?.());

test("Node's handle is as we know it", () => expect(unplug).toBeDefined());

test.each([
  ["trusted", two.certificate, true],
  ["not trusted", one.certificate, false],
])("a certificate that is shown is %s", async (_what, ca, trusted) => {
  await using each = await accepted({ cert: two.certificate, key: two.key }, ca);
  const shown = shownCertificate(each.connection);
  expect(shown?.trusted).toBe(trusted);
  expect(shown?.certificate.toString()).toBe(two.certificate);
});

test("there is none when none is shown, and when the connection has ended", async () => {
  const without = await accepted({}, two.certificate);
  expect(shownCertificate(without.connection)).toBeUndefined();
  await without[Symbol.asyncDispose]();
  const ended = await accepted({ cert: two.certificate, key: two.key }, two.certificate);
  await ended[Symbol.asyncDispose]();
  expect(shownCertificate(ended.connection)).toBeUndefined();
});
