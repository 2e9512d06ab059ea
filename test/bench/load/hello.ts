import { once } from "node:events";
import { Duplex } from "node:stream";
import { connect } from "node:tls";

/** The first bytes that a TLS 1.3 client with that server name sends, as Node's own client forms them. */
export async function clientHello(servername: string): Promise<Buffer> {
  const wire = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      this.emit("hello", chunk);
      done();
    },
  });
  const hello = once(wire, "hello");
  const socket = connect({ socket: wire, servername, minVersion: "TLSv1.3" });
  socket.on("error", () => undefined); // it is given up in the middle of its handshake
  const [bytes] = (await hello) as [Buffer];
  socket.destroy();
  return bytes;
}
