import { syntaxes } from "@atrium/protocol";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { testServer } from "./testing/atserver.ts";
import { recordingLog } from "./testing/recording-log.ts";

const verbNames = syntaxes.map(({ verb }) => verb);
const morsels = [
  "public:",
  "@bob:",
  "@alice:",
  "cached:",
  "private:",
  "local:",
  "privatekey:at_secret",
  "privatekey:at_pkam_publickey",
  "a.b",
  "@alice",
  "@bob",
  "publickey",
  ":",
  "::",
  " ",
  "ttl:",
  "ttr:",
  "ttb:1",
  "-1",
  "0",
  "99999999999999999999",
  "isEncrypted:",
  "true",
  "null",
  "meta:",
  "all:",
  "json:",
  "{}",
  '{"atKey":1}',
  "[",
  "(",
  "*",
  "block:",
  "add:",
  "show",
  "3",
  ",",
  "\u{1f600}",
  "é",
  "\0",
  "\r",
  "\t",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "showhidden:",
  "force:",
  "bypassCache:",
  "immutable:true:",
];

const command = fc
  .tuple(
    fc.constantFrom(...verbNames, "", "@exit "),
    fc.array(fc.oneof(fc.constantFrom(...morsels), fc.string({ maxLength: 8 })), { maxLength: 8 }),
  )
  .map(([verb, parts]) => `${verb}:${parts.join("")}`.replaceAll("\n", ""))
  // It would take up to five seconds each.
  .filter((line) => !/^noop:\d{2}/.test(line));

const replyForm = /^(?:data:.*|error:(?:AT\d{4}[-:].*|\{.*\}))\n@(?:alice@)?$/s;
/** A monitor has no prompts. */
const monitorLines = /^(?:(?:data:|error:AT\d{4}[-:]|error:\{|notification: \{).*\n)+$/;

describe("whatever is sent", () => {
  test("is answered by one reply, and is no fault of ours", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 20 }), fc.boolean(), async (lines, asOwner) => {
        const { log, lines: logged } = recordingLog();
        const server = testServer({ log, peers: { ask: async () => '{"data":"v","metaData":{}}' } });
        const client = asOwner ? await server.owner() : await server.anonymous();
        for (const line of lines) {
          const reply = await client.ask(line);
          if (reply === undefined) break;
          expect(reply).toMatch(client.session.connection.monitoring ? monitorLines : replyForm);
          if (client.session.ending) break;
        }
        client.socket.destroy();
        expect(logged).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test("in any bytes, cut anywhere, ends in replies or a close", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 30 }), async (chunks) => {
        const { log, lines: logged } = recordingLog();
        const client = await testServer({ log }).anonymous();
        for (const chunk of chunks) client.send(chunk);
        client.socket.end("\n");
        expect(await client.readAll()).toMatch(/^(?:error:AT\d{4}-.*\n@|data:.*\n@)*$/);
        expect(logged).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
