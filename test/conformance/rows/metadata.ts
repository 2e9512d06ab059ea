import { rowsOf } from "../row.ts";

const stringItems = [
  ["dataSignature", "c2ln+/Bh=="],
  ["sharedKeyEnc", "a2V5+/8="],
  ["pubKeyCS", "0cc175b9c0f1b6a831c399e269772661"],
  ["encoding", "base64"],
  ["encKeyName", "key1.wavi"],
  ["encAlgo", "AES/CTR/PKCS7Padding"],
  ["ivNonce", "YWJjZGVmZ2hpamtsbW5vcA=="],
  ["skeEncKeyName", "ske1"],
  ["skeEncAlgo", "RSA-2048"],
] as const;

/** Metadata: keys.md §3; test vectors: sdk-crypto.md §1. */
export const metadataRows = [
  ...rowsOf("keys.md §3.1", [
    ...stringItems.map(([name, value]) => ({
      id: `metadata.${name}`,
      steps: [
        ["owner", `update:${name}:${value}:x.{n}@alice 1`, "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", `data:{<any>"isBinary":false,"isEncrypted":false,"${name}":"${value}"}`],
      ] as const,
    })),
    {
      id: "metadata.all-in-order",
      from: "§3.3",
      steps: [
        [
          "owner",
          "update:ttl:100000:ttb:0:ttr:60:ccd:true:dataSignature:a=:sharedKeyStatus:local:isBinary:true:isEncrypted:true:sharedKeyEnc:b=:pubKeyCS:c:encoding:base64:encKeyName:d:encAlgo:e:ivNonce:f==:skeEncKeyName:g:skeEncAlgo:h:@bob:x.{n}@alice 1",
          "data:<int>",
        ],
        [
          "owner",
          "llookup:meta:@bob:x.{n}@alice",
          'data:{"createdBy":"@alice","updatedBy":"@alice","createdAt":"<date>","updatedAt":"<date>",<any>"expiresAt":"<date>","refreshAt":"<date>","status":"active","version":0,"ttl":100000,"ttb":0,"ttr":60,"ccd":true,"isBinary":true,"isEncrypted":true,"dataSignature":"a=","sharedKeyEnc":"b=","pubKeyCS":"c","encoding":"base64","encKeyName":"d","encAlgo":"e","ivNonce":"f==","skeEncKeyName":"g","skeEncAlgo":"h"}',
        ],
      ],
    },
    {
      id: "metadata.any-order-and-case",
      from: "/ client-expectations.md §5",
      differs: "metadata in any order and any letter case",
      steps: [
        ["owner", "update:IVNONCE:f==:IsEncrypted:True:ttr:60:TTL:100000:public:x.{n}@alice 1", "data:<int>"],
        [
          "owner",
          "llookup:meta:public:x.{n}@alice",
          'data:{<any>"ttl":100000,"ttr":60,"ccd":false,"isBinary":false,"isEncrypted":true,"ivNonce":"f=="}',
        ],
      ],
    },
    {
      id: "metadata.sharedKeyStatus-not-stored",
      steps: [
        ["owner", "update:sharedKeyStatus:local:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"version":0,"isBinary":false,"isEncrypted":false}'],
      ],
    },
    ...["hash:<h>:algo:<a>", "pubKeyHash:<h>:hashingAlgo:<a>"].map((form) => ({
      id: `metadata.${form.replace(/[<>]/g, "")}`,
      differs: "the JSON has both members, algo and hashingAlgo",
      steps: [
        ["owner", `update:${form.replace("<h>", "0a1b2c").replace("<a>", "sha512")}:@bob:x.{n}@alice 1`, "data:<int>"],
        [
          "owner",
          "llookup:meta:@bob:x.{n}@alice",
          'data:{<any>"pubKeyHash":{"hash":"0a1b2c","<algo|hashingAlgo>":"sha512","<algo|hashingAlgo>":"sha512"}}',
        ],
      ] as const,
    })),
    {
      id: "metadata.immutable",
      from: "[S]",
      steps: [
        ["owner", "update:immutable:true:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"immutable":true}'],
      ],
    },
    {
      id: "metadata.immutable-refuses-update",
      from: "[S]",
      differs: "AT0032",
      steps: [
        ["owner", "update:immutable:true:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:x.{n}@alice 2", "error:AT0032-<some>"],
        ["owner", "update:meta:x.{n}@alice:ttl:1000", "error:AT0032-<some>"],
        ["owner", "delete:x.{n}@alice", "error:AT0032-<some>"],
        ["owner", "llookup:x.{n}@alice", "data:1"],
        ["owner", "delete:force:x.{n}@alice", "data:<number>"],
        ["owner", "update:x.{n}@alice 3", "data:<int>"],
      ],
    },
    {
      id: "metadata.immutable-expired",
      from: "[S]",
      steps: [
        ["owner", "update:ttl:150:immutable:true:x.{n}@alice 1", "data:<int>"],
        { on: "owner", until: "update:x.{n}@alice 2", is: "data:<int>" },
      ],
    },
    {
      id: "metadata.appMetadata",
      from: "[S]",
      steps: [
        ["owner", "update:appMetadata:eyJhIjoxfQ==:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"appMetadata":<any>}'],
      ],
    },
    {
      id: "metadata.timestamps-accepted",
      from: "[S]",
      steps: [["owner", "update:cAt:2026-01-01T00:00:00.000Z:uAt:2026-01-02T00:00:00Z:x.{n}@alice 1", "data:<int>"]],
    },
  ]),
  ...rowsOf("keys.md §3.2", [
    {
      id: "metadata.ttl-expires-at",
      steps: [
        ["owner", "update:ttl:100000:x.{n}@alice 1", "data:<int>"],
        [
          "owner",
          "llookup:meta:x.{n}@alice",
          'data:{<any>"updatedAt":"<date>","expiresAt":"<date>","status":<any>"ttl":100000,<any>',
        ],
      ],
    },
    {
      id: "metadata.ttl-0-clears",
      steps: [
        ["owner", "update:ttl:100000:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:ttl:0:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"updatedAt":"<date>","status":<any>'],
      ],
    },
    {
      id: "metadata.ttl-kept",
      steps: [
        ["owner", "update:ttl:100000:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:x.{n}@alice 2", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"expiresAt":"<date>",<any>"ttl":100000,<any>'],
      ],
    },
    {
      id: "metadata.ttl-re-armed",
      differs: "ttl is re-armed by a write without ttl, later releases keep the old time",
      steps: [
        ["owner", "update:ttl:100000:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"expiresAt":"<old:date>",<any>'],
        ["owner", "noop:20", "data:ok"],
        ["owner", "update:x.{n}@alice 2", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"expiresAt":"<new:date>",<any>'],
        { on: "owner", later: ["old", "new"] },
      ],
    },
    {
      id: "metadata.ttb-available-at",
      steps: [
        ["owner", "update:ttb:300:ttl:100000:x.{n}@alice 1", "data:<int>"],
        {
          on: "owner",
          until: "llookup:meta:x.{n}@alice",
          is: 'data:{<any>"availableAt":"<date>","expiresAt":"<date>",<any>',
        },
      ],
    },
    {
      id: "metadata.ttr-refresh-at",
      steps: [
        ["owner", "update:ttr:60:@bob:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:meta:@bob:x.{n}@alice", 'data:{<any>"refreshAt":"<date>",<any>"ttr":60,"ccd":false,<any>'],
      ],
    },
    {
      id: "metadata.ttr-for-ever",
      steps: [
        ["owner", "update:ttr:-1:@bob:x.{n}@alice 1", "data:<int>"],
        [
          "owner",
          "llookup:meta:@bob:x.{n}@alice",
          'data:{<any>"updatedAt":"<date>","status":<any>"ttr":-1,"ccd":false,<any>',
        ],
      ],
    },
    {
      id: "metadata.ccd-needs-ttr",
      steps: [
        ["owner", "update:ccd:true:@bob:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:meta:@bob:x.{n}@alice", 'data:{<any>"version":0,"isBinary":false,"isEncrypted":false}'],
      ],
    },
    {
      id: "metadata.flags-overwritten",
      steps: [
        ["owner", "update:isBinary:true:isEncrypted:true:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:x.{n}@alice 2", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"isBinary":false,"isEncrypted":false}'],
      ],
    },
    {
      id: "metadata.strings-kept",
      steps: [
        ["owner", "update:ivNonce:f==:encAlgo:e:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:x.{n}@alice 2", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"encAlgo":"e","ivNonce":"f=="}'],
      ],
    },
    {
      id: "metadata.strings-replaced",
      steps: [
        ["owner", "update:ivNonce:f==:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:ivNonce:g==:x.{n}@alice 2", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"ivNonce":"g=="}'],
      ],
    },
    {
      id: "metadata.null-removes",
      steps: [
        ["owner", "update:ivNonce:f==:encAlgo:e:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:ivNonce:null:x.{n}@alice 2", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"isEncrypted":false,"encAlgo":"e"}'],
      ],
    },
    {
      id: "metadata.version-and-dates",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"createdAt":"<c:date>",<any>"version":0,<any>'],
        ["owner", "noop:5", "data:ok"],
        ["owner", "update:x.{n}@alice 2", "data:<int>"],
        [
          "owner",
          "llookup:meta:x.{n}@alice",
          'data:{"createdBy":"@alice","updatedBy":"@alice","createdAt":"{c}","updatedAt":"<u:date>",<any>"version":1,<any>',
        ],
        { on: "owner", later: ["c", "u"] },
      ],
    },
    {
      id: "metadata.expired-is-committed",
      from: "/ notifications-and-sync.md §6",
      steps: [
        ["owner", "update:ttl:120:x.{n}@alice 1", "data:<int>"],
        { on: "owner", until: "scan {n}", is: "data:[]" },
      ],
    },
  ]),
  ...rowsOf("sdk-crypto.md §1", [
    ...[
      ["hello", "GtSPVCN4RCB4oc/BgUmOqg=="],
      ["0123456789abcdef", "QoDRC3hGeRxLk6Wo6Sbgx/9tUTrRxNfnK/tuRfPMmvE="],
    ].map(([plain, cipher]) => ({
      id: `crypto.vector-iv.${plain}`,
      steps: [
        ["owner", `update:isEncrypted:true:ivNonce:Dw4NDAsKCQgHBgUEAwIBAA==:x.{n}@alice ${cipher}`, "data:<int>"],
        [
          "owner",
          "llookup:all:x.{n}@alice",
          `data:{<any>"data":"${cipher}",<any>"ivNonce":"Dw4NDAsKCQgHBgUEAwIBAA=="}}`,
        ],
        { on: "owner", decrypts: `${cipher}`, iv: "Dw4NDAsKCQgHBgUEAwIBAA==", to: `${plain}` },
      ] as const,
    })),
    ...[
      ["hello", "mvVs2kVClNui+JFh1iV8iw=="],
      ["0123456789abcdef", "wqEyhR58qeeRyvsIvkoS5uBNZr5aqY/1tuaLIVjSJi0="],
      ["", "4oAQpjpZj8C544p6zT5nkA=="],
    ].map(([plain, cipher]) => ({
      id: `crypto.vector-zero-iv.${plain}`,
      steps: [
        ["owner", `update:isEncrypted:true:x.{n}@alice ${cipher}`, "data:<int>"],
        ["owner", "llookup:x.{n}@alice", `data:${cipher}`],
        { on: "owner", decrypts: `${cipher}`, iv: "AAAAAAAAAAAAAAAAAAAAAA==", to: `${plain}` },
      ] as const,
    })),
  ]),
];
