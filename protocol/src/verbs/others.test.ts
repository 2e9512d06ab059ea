import { expect, test } from "@jest/globals";
import { config } from "./config.ts";
import { cram } from "./cram.ts";
import { deleteRecord } from "./delete.ts";
import { info } from "./info.ts";
import { noop } from "./noop.ts";
import { pkam } from "./pkam.ts";
import { pol } from "./pol.ts";
import { to } from "./to.ts";

test.each([
  [cram, "cram:ab12", { digest: "ab12" }],
  [pkam, "pkam:MIIB==", { signature: "MIIB==" }],
  [
    pkam,
    "pkam:signingAlgo:rsa2048:hashingAlgo:sha256:MIIB==",
    { signingAlgo: "rsa2048", hashingAlgo: "sha256", signature: "MIIB==" },
  ],
  [
    pkam,
    "pkam:signingAlgo:rsa2048:hashingAlgo:sha512:enrollmentId:7c-1:MIIB==",
    { signingAlgo: "rsa2048", hashingAlgo: "sha512", enrollmentId: "7c-1", signature: "MIIB==" },
  ],
  [pkam, "pkam:enrollmentId:7c-1:MIIB==", { enrollmentId: "7c-1", signature: "MIIB==" }],
  [pkam, "PKAM:SIGNINGALGO:ECC_SECP256R1:MIIB==", { signingAlgo: "ecc_secp256r1", signature: "MIIB==" }],
  [info, "info", {}],
  [info, "info:Brief", { form: "brief" }],
  [info, "info:MTLS", { form: "mtls" }],
  [info, "info:mtlsbrief", { form: "mtlsbrief" }],
  [to, "to:@B.ob", { atSign: "@bob" }],
  [pol, "POL", {}],
  [noop, "noop:0", { durationMs: 0 }],
  [noop, "noop:5000\r", { durationMs: 5000 }],
  [deleteRecord, "delete:x.wavi@alice", { key: "x.wavi@alice" }],
  [deleteRecord, "delete:priority:HIGH:@bob:x@alice", { key: "@bob:x@alice", priority: "high" }],
  [deleteRecord, "delete:force:public:X@Alice", { key: "public:x@alice", force: true }],
  [deleteRecord, "delete:cached:@alice:x@bob", { key: "cached:@alice:x@bob" }],
  [deleteRecord, "delete:privatekey:at_secret", { key: "privatekey:at_secret" }],
  [deleteRecord, "delete:privatekey:at_pkam_publickey", { key: "privatekey:at_pkam_publickey" }],
  [deleteRecord, "delete:force@alice", { key: "force@alice" }],
  [config, "config:block:add:@a @B.ob", { operation: "add", atSigns: ["@a", "@bob"] }],
  [config, "config:block:REMOVE:@a", { operation: "remove", atSigns: ["@a"] }],
  [config, "config:block:show", { operation: "show" }],
  [config, "config:set:inboundMaxLimit=5", { operation: "set", name: "inboundMaxLimit", value: "5" }],
  [config, "config:reset:inboundMaxLimit", { operation: "reset", name: "inboundMaxLimit" }],
  [config, "config:print:inboundMaxLimit", { operation: "print", name: "inboundMaxLimit" }],
])("%# $verb reads %s", (syntax, line, params) => {
  expect(syntax.parse(line)).toEqual(params);
});

test.each([
  [cram, "cram:"],
  [cram, "cram:a b"],
  [pkam, "pkam:"],
  [pkam, "pkam:signingAlgo:mldsa65:MIIB=="],
  [pkam, "pkam:hashingAlgo:md5:MIIB=="],
  [pkam, "pkam:enrollmentId:MIIB=="],
  [pkam, "pkam:MII B=="],
  [info, "info:"],
  [info, "info:mtlslong"],
  [to, "to:bob"],
  [to, "to:@a:b"],
  [pol, "pol:"],
  [pol, "pol @bob"],
  [info, "info x"],
  [noop, "noop"],
  [noop, "noop:"],
  [noop, "noop:-1"],
  [noop, "noop:1.5"],
  [deleteRecord, "delete"],
  [deleteRecord, "delete:"],
  [deleteRecord, "delete:priority:urgent:x@alice"],
  [deleteRecord, "delete:privatekey:self_encryption_key"],
  [deleteRecord, "delete:private:x@alice"],
  [deleteRecord, "delete:x y@alice"],
  [config, "config:"],
  [config, "config:block:add:"],
  [config, "config:block:add:a"],
  [config, "config:block:show:x"],
  [config, "config:set:x"],
  [config, "config:stop:x"],
])("%# $verb refuses %s", (syntax, line) => {
  expect(() => syntax.parse(line)).toThrow(expect.objectContaining({ code: "AT0003", closes: false }));
});

test.each(["noop:5001", `noop:${"9".repeat(400)}`])("nobody waits that long: %.12s", (line) => {
  expect(() => noop.parse(line)).toThrow(
    expect.objectContaining({
      code: "AT0022",
      message: "noop:<durationInMillis> where the duration maximum is 5000 milliseconds",
    }),
  );
});
