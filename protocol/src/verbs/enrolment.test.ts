import { expect, test } from "@jest/globals";
import { enroll } from "./enroll.ts";
import { keys } from "./keys.ts";
import { otp } from "./otp.ts";

test.each([
  [enroll, "enroll:list", { operation: "list" }],
  [enroll, "enroll:list{}", { operation: "list" }],
  [
    enroll,
    'enroll:list{"enrollmentStatusFilter":["revoked","pending"]}',
    { operation: "list", enrollmentStatusFilter: ["pending", "revoked"] },
  ],
  [enroll, 'ENROLL:Fetch:{"enrollmentId":"7c"}\r', { operation: "fetch", enrollmentId: "7c" }],
  [enroll, 'enroll:revoke:{"enrollmentId":"7c"}', { operation: "revoke", enrollmentId: "7c" }],
  [enroll, 'enroll:revoke:force:{"enrollmentId":"7c"}', { operation: "revoke", force: true, enrollmentId: "7c" }],
  [enroll, 'enroll:revoke:force{"enrollmentId":"7c"}', { operation: "revoke", force: true, enrollmentId: "7c" }],
  [enroll, "enroll:deny:{}", { operation: "deny" }],
  [
    enroll,
    'enroll:request{"otp":null,"appName":"wavi","deviceName":"","unknown":[1],"namespaces":{"wavi":"rw","__proto__":"r"},"apkamKeysExpiryInMillis":0}',
    {
      operation: "request",
      appName: "wavi",
      namespaces: Object.fromEntries([
        ["wavi", "rw"],
        ["__proto__", "r"],
      ]),
      apkamKeysExpiryInMillis: 0,
    },
  ],
  [otp, "otp:get", { operation: "get" }],
  [otp, "OTP:Get:TTL:1000", { operation: "get", ttl: 1000 }],
  [otp, "otp:put:Abc_12", { operation: "put", passcode: "Abc_12" }],
  [otp, "otp:put:abc123:ttl:0", { operation: "put", passcode: "abc123", ttl: 0 }],
  [keys, "keys:get:private", { operation: "get", visibility: "private" }],
  [
    keys,
    "keys:get:keyName:7c.default_self_enc_key.__manage@alice",
    { operation: "get", keyName: "7c.default_self_enc_key.__manage@alice" },
  ],
  [
    keys,
    "keys:put:self:namespace:__global:appName:wavi:deviceName:pixel:keyType:aes256:encryptionKeyName:k:keyName:mine a b",
    {
      operation: "put",
      visibility: "self",
      namespace: "__global",
      appName: "wavi",
      deviceName: "pixel",
      keyType: "aes256",
      encryptionKeyName: "k",
      keyName: "mine",
      value: "a b",
    },
  ],
  [
    keys,
    "KEYS:DELETE:keyname:public:a.__public_keys.__global@alice",
    { operation: "delete", keyName: "public:a.__public_keys.__global@alice" },
  ],
])("%# $verb reads %s", (syntax, line, params) => {
  expect(syntax.parse(line)).toEqual(params);
});

test.each([
  [enroll, "enroll"],
  [enroll, "enroll:"],
  [enroll, "enroll:request"],
  [enroll, "enroll:fetch"],
  [enroll, "enroll:list:"],
  [enroll, "enroll:update:{}"],
  [enroll, "enroll:request:[]"],
  [enroll, "enroll:request:{"],
  [enroll, "enroll:force:revoke:{}"],
  [otp, "otp"],
  [otp, "otp:"],
  [otp, "otp:put"],
  [otp, "otp:put:12345"],
  [otp, "otp:put:abc 123"],
  [otp, "otp:get:ttl:-1"],
  [otp, "otp:get:abc123"],
  [keys, "keys:"],
  [keys, "keys:list"],
  [keys, "keys:get:everyone"],
  [keys, "keys:put:self:deviceName:a:appName:b:keyName:k v"],
])("%# $verb refuses %s", (syntax, line) => {
  expect(() => syntax.parse(line)).toThrow(expect.objectContaining({ code: "AT0003", closes: false }));
});

test.each([
  ['{"appName":5}', "appName"],
  ['{"appName":"a\\nb"}', "appName"],
  ['{"appName":"\\ud800"}', "appName"],
  [`{"appName":"${"a".repeat(76)}"}`, "appName"],
  ['{"namespaces":[]}', "namespaces"],
  ['{"namespaces":{"wavi":"w"}}', "namespaces"],
  ['{"namespaces":{"wavi":"RW"}}', "namespaces"],
  ['{"namespaces":{"wa vi":"r"}}', "namespaces"],
  ['{"namespaces":{"wavi@alice":"r"}}', "namespaces"],
  ['{"namespaces":{"":"r"}}', "namespaces"],
  [
    JSON.stringify({ namespaces: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`n${i}`, "r"])) }),
    "namespaces",
  ],
  ['{"apkamKeysExpiryInMillis":-1}', "apkamKeysExpiryInMillis"],
  ['{"apkamKeysExpiryInMillis":1.5}', "apkamKeysExpiryInMillis"],
  ['{"apkamKeysExpiryInMillis":1e15}', "apkamKeysExpiryInMillis"],
  ['{"apkamKeysExpiryInMillis":"1000"}', "apkamKeysExpiryInMillis"],
  ['{"signingAlgo":"mldsa65"}', "signingAlgo"],
  ['{"enrollmentStatusFilter":"pending"}', "enrollmentStatusFilter"],
  ['{"enrollmentStatusFilter":["gone"]}', "enrollmentStatusFilter"],
])("a member that cannot be is named: %.60s", (json, member) => {
  expect(() => enroll.parse(`enroll:request:${json}`)).toThrow(
    expect.objectContaining({ code: "AT0022", message: `${member} is not valid for enroll:request` }),
  );
});

test("a value that would be read as something else is not written", () => {
  expect(() => keys.format({ operation: "put", value: "v" })).toThrow(expect.objectContaining({ code: "AT0003" }));
  expect(() => keys.format({ operation: "put", keyName: "k", value: "v " })).toThrow();
  expect(() => otp.format({ operation: "put", passcode: "12345" })).toThrow();
});
