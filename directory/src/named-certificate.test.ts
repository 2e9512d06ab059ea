import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer } from "node:tls";
import { silent } from "@atrium/runtime/log.ts";
import { watchTlsFiles } from "@atrium/runtime/tls-files.ts";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type Pair, testCa } from "../../test/kit/certificates.ts";
import { namedCertificate } from "./named-certificate.ts";

const [platform, world] = [testCa(), testCa()];
let path: string;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "atrium-named-certificate-"));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

function write({ certificate, key }: Pair): void {
  writeFileSync(join(path, "certificate.pem"), certificate);
  writeFileSync(join(path, "key.pem"), key);
}

/** A server with the platform's certificate, and the one of the files by name. */
async function serve() {
  const files = watchTlsFiles({ directory: path, log: silent });
  const { certificate: cert, key } = platform.issue({ dns: ["directory.atrium.internal"] });
  const server = createServer({ cert, key, SNICallback: namedCertificate(files) }, (socket) => socket.end());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    files,
    /** @returns the serial number of the certificate that a client was shown, who trusts that CA alone */
    async shown(servername: string | undefined, { pem: ca }: { pem: string }): Promise<string> {
      const name = servername === undefined ? {} : { servername };
      const checked = servername === undefined ? { checkServerIdentity: () => undefined } : {};
      const socket = connect({ port, host: "127.0.0.1", ca, ...name, ...checked });
      await once(socket, "secureConnect");
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    },
    async [Symbol.asyncDispose]() {
      await files[Symbol.asyncDispose]();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("who asks for one of its names is shown it, wildcards included, and everybody else the server's own", async () => {
  write(world.issue({ dns: ["directory.example.org", "*.names.example.org"] }));
  await using server = await serve();
  const named = await server.shown("directory.example.org", world);
  expect(await server.shown("a.names.example.org", world)).toBe(named);
  const own = await server.shown("directory.atrium.internal", platform);
  expect(own).not.toBe(named);
  expect(await server.shown(undefined, platform)).toBe(own);
  await expect(server.shown("names.example.org", world)).rejects.toThrow(/self-signed|unable to verify/);
});

test("a renewed one is shown at the next handshake", async () => {
  write(world.issue({ dns: ["directory.example.org"] }));
  await using server = await serve();
  const before = await server.shown("directory.example.org", world);
  write(world.issue({ dns: ["directory.example.org"] }));
  server.files.check();
  expect(await server.shown("directory.example.org", world)).not.toBe(before);
});
