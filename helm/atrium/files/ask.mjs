// `helm test`: asks the directory for an Atsign and the gateway for a host, both of which nobody has. Each must say so, as
// only one does that has its certificate and knows the registry, or all routes. Run by Node of the directory's image.
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "node:tls";

const { DIRECTORY, DIRECTORY_NAME, GATEWAY, ZONE, CA_FILE, WAIT_MS } = process.env;
const deadline = Date.now() + Number(WAIT_MS);

await untilAnswered("directory", async () => {
  const socket = open(DIRECTORY, { servername: DIRECTORY_NAME, ca: readFileSync(CA_FILE) });
  // The prompt; then, to a name, its address or null; then the prompt again.
  await until(socket, (text) => text.endsWith("@"));
  socket.write("atrium-helm-test-of-nobody\n");
  const answer = await until(socket, (text) => text.endsWith("\n@"));
  socket.end();
  return answer.split(/\r?\n/)[0];
});

await untilAnswered("gateway", async () => {
  const socket = open(GATEWAY, { servername: `x-helm-test-of-nobody.${ZONE}` });
  const error = await new Promise((resolve, reject) => {
    socket.once("error", resolve);
    socket.once("close", () => reject(new Error("closed without an alert")));
    socket.once("secureConnect", () => reject(new Error("a host of nobody was served")));
  });
  if (error.code !== "ERR_SSL_TLSV1_UNRECOGNIZED_NAME") throw error;
  return "no such host";
});

/** @param ask rejects when there was no good answer; asked again each second until the deadline */
async function untilAnswered(who, ask) {
  for (;;) {
    try {
      process.stdout.write(`${who} answers: ${await ask()}\n`);
      return;
    } catch (error) {
      process.stdout.write(`${who}: ${error.message}\n`);
      if (Date.now() >= deadline) process.exit(1);
    }
    await delay(1_000);
  }
}

function open(address, options) {
  const [host, port] = address.split(":");
  const socket = connect({ host, port: Number(port), ...options });
  return socket.setTimeout(5_000, () => socket.destroy(new Error("no answer within 5 s")));
}

/** All that came so far, as soon as it is enough. */
function until(socket, enough) {
  return new Promise((resolve, reject) => {
    let text = "";
    const take = (chunk) => {
      text += chunk.toString("latin1");
      if (!enough(text)) return;
      socket.off("data", take);
      resolve(text);
    };
    socket.on("data", take);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error(`closed after ${JSON.stringify(text)}`)));
  });
}
