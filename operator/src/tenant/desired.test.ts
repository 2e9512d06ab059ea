import { describe, expect, test } from "@jest/globals";
import { type ConditionType, reasons } from "./conditions.ts";
import { type Action, desired, type Plan } from "./desired.ts";
import type { Listing, Observed, Obstacle, Server } from "./observe.ts";

const now = 1_000_000;

const ours: Listing = { state: "ours", generation: 500, parked: false };
const parked: Listing = { ...ours, parked: true };
const unknown: Listing = { state: "unknown" };
const taken: Listing = { state: "refused", reason: "claimed" };
const stale: Listing = { state: "refused", reason: "stale-generation" };

const absent: Server = { state: "absent" };
const starting: Server = { state: "starting", epoch: 500 };
const stopping: Server = { state: "stopping", epoch: 500 };
const ready: Server = { state: "ready", epoch: 500, uid: "7", address: "127.0.0.1", port: 4000 };
const failed = (failures: number, agoMs = 0): Server => ({
  state: "failed",
  failures,
  endedAt: now - agoMs,
  how: "SIGKILL",
});

/** An AtSign that serves, unless told otherwise. */
function observed(changes: Partial<Omit<Observed, "wanted">> & Partial<Observed["wanted"]> = {}): Observed {
  const { run = "Always", deletionPolicy = "Retain", releaseTo, ...rest } = changes;
  return {
    now,
    wanted: { atSign: "@alice", run, deletionPolicy, ...(releaseTo !== undefined && { releaseTo }) },
    epoch: 500,
    volume: "present",
    listing: ours,
    server: ready,
    activated: true,
    ...rest,
  };
}

const fresh = { epoch: 0, volume: "absent", server: absent, activated: false } as const;
const delete_ = { run: "Withdrawn", deletionPolicy: "Delete" } as const;
const retain = { run: "Withdrawn" } as const;

/** A plan in one line: its actions, when to look again, and each condition that is not as it should be. */
function line({ actions, requeueAt, conditions }: Plan): string {
  const faults = conditions
    .filter(({ type, status }) => status === (type === "Degraded"))
    .map(({ type, reason }) => `${type}:${reason}`)
    .join(" ");
  const requeue = requeueAt === undefined ? [] : [`again in ${requeueAt - now}`];
  return [actions.map(phrase).join(", ") || "nothing", ...requeue, ...(faults ? [faults] : [])].join(" | ");
}

function phrase(action: Action): string {
  switch (action.do) {
    case "list":
      return `${action.parked ? "park" : "list"} ${action.generation}`;
    case "start":
      return `start ${action.epoch}`;
    case "hand-over":
      return `hand over to ${action.to}`;
    default:
      return action.do;
  }
}

describe("what an AtSign needs", () => {
  test.each<[string, Observed, string]>([
    ["serves", observed(), "nothing"],
    [
      "is new: its name first",
      observed({ ...fresh, listing: unknown }),
      "list 1000000 | again in 30000 | Ready:Starting Claimed:DirectoryUnreachable Provisioned:NoVolume Listed:NotListed Activated:NotActivated",
    ],
    [
      "is new and has its name",
      observed({ ...fresh, listing: { ...ours, generation: now } }),
      "start 1000000 | Ready:Starting Provisioned:NoVolume Activated:NotActivated",
    ],
    ["is about to serve", observed({ server: starting }), "nothing | Ready:Starting"],
    ["was parked, and is wanted again", observed({ listing: parked }), "list 500 | Listed:Parked"],
    ["has an older record", observed({ listing: { ...ours, generation: 499 } }), "list 500"],

    ["was started before", observed({ server: absent }), "start 1000000, list 1000000 | Ready:Starting"],
    [
      "has a last epoch that lies ahead of the clock",
      observed({ server: absent, epoch: 2_000_000 }),
      "start 2000001, list 2000001 | Ready:Starting",
    ],
    [
      "ended, while the directory is away: the record waits, the server does not",
      observed({ server: failed(1), listing: unknown }),
      "start 1000000, list 1000000 | again in 30000 | Ready:Restarting Claimed:DirectoryUnreachable Listed:NotListed",
    ],
    [
      "serves from a new process, while the directory is away: clients that know it come through",
      observed({ listing: unknown }),
      "list 500 | again in 30000 | Claimed:DirectoryUnreachable Listed:NotListed",
    ],

    ["ended once", observed({ server: failed(1) }), "start 1000000, list 1000000 | Ready:Restarting"],
    ["ended twice", observed({ server: failed(2) }), "nothing | again in 1000 | Ready:Restarting"],
    [
      "ended twice, a while ago",
      observed({ server: failed(2, 1_000) }),
      "start 1000000, list 1000000 | Ready:Restarting",
    ],
    ["ended 3 times", observed({ server: failed(3) }), "nothing | again in 2000 | Ready:Restarting Degraded:CrashLoop"],
    ["ended 4 times", observed({ server: failed(4) }), "nothing | again in 5000 | Ready:Restarting Degraded:CrashLoop"],
    [
      "ended 5 times",
      observed({ server: failed(5) }),
      "nothing | again in 10000 | Ready:Restarting Degraded:CrashLoop",
    ],
    [
      "ended 7 times",
      observed({ server: failed(7) }),
      "nothing | again in 60000 | Ready:Restarting Degraded:CrashLoop",
    ],
    [
      "ended often, at a time that is yet to come: the clock was set back",
      observed({ server: failed(7, -86_400_000) }),
      "start 1000000, list 1000000 | Ready:Restarting Degraded:CrashLoop",
    ],
    [
      "ended 99 times",
      observed({ server: failed(99) }),
      "nothing | again in 60000 | Ready:Restarting Degraded:CrashLoop",
    ],
    [
      "is being started once more",
      observed({ server: { state: "starting", epoch: 500, after: { failures: 3, endedAt: now, how: "SIGKILL" } } }),
      "nothing | Ready:Restarting Degraded:CrashLoop",
    ],

    [
      "lost its name",
      observed({ listing: taken }),
      "stop, list 1000000 | again in 30000 | Ready:Unclaimed Claimed:NameTaken Listed:NotListed",
    ],
    [
      "never had its name",
      observed({ ...fresh, listing: taken }),
      "list 1000000 | again in 30000 | Ready:Unclaimed Claimed:NameTaken Provisioned:NoVolume Listed:NotListed Activated:NotActivated",
    ],
    [
      "has a host that somebody else has",
      observed({ server: absent, listing: { state: "refused", reason: "host-taken" } }),
      "list 1000000 | again in 30000 | Ready:Unclaimed Claimed:HostTaken Listed:NotListed",
    ],
    [
      "runs, and a newer process was listed",
      observed({ listing: stale }),
      "stop | again in 30000 | Claimed:StaleGeneration Listed:NotListed",
    ],
    [
      "does not run, and a newer process was listed",
      observed({ server: absent, listing: stale }),
      "start 1000000, list 1000000 | again in 30000 | Ready:Starting Claimed:StaleGeneration Listed:NotListed",
    ],
  ])("that %s", (_what, input, expected) => {
    expect(line(desired(input))).toBe(expected);
  });
});

describe("what is in the way of an AtSign", () => {
  const fault = (reason: Obstacle["reason"], preventsStart: boolean): { obstacle: Obstacle } => ({
    obstacle: { reason, message: "see to it", preventsStart },
  });
  const lost: Server = { state: "lost", epoch: 500 };
  test.each<[string, Observed, string]>([
    [
      "is its class, and it is new: it takes no name",
      observed({ ...fresh, ...fault("ClassNotAllowed", true), listing: unknown }),
      "nothing | Ready:ClassNotAllowed Claimed:DirectoryUnreachable Provisioned:NoVolume Listed:NotListed Activated:NotActivated Degraded:ClassNotAllowed",
    ],
    [
      "is its class, and it serves: it goes on",
      observed(fault("ClassNotFound", true)),
      "nothing | Degraded:ClassNotFound",
    ],
    [
      "is a quota",
      observed({ server: absent, ...fault("QuotaExceeded", true) }),
      "nothing | Ready:QuotaExceeded Degraded:QuotaExceeded",
    ],
    [
      "is that its volume is gone",
      observed({ server: absent, volume: "absent", ...fault("VolumeLost", true) }),
      "nothing | Ready:VolumeLost Provisioned:VolumeLost Degraded:VolumeLost",
    ],
    [
      "is its image",
      observed({ server: starting, ...fault("ImageNotPulled", false) }),
      "nothing | Ready:ImageNotPulled Degraded:ImageNotPulled",
    ],
    ["was its memory, and it serves again", observed(fault("OutOfMemory", false)), "nothing | Degraded:OutOfMemory"],
    [
      "was its memory, and it had ended: it is started again",
      observed({ server: failed(1), ...fault("OutOfMemory", false) }),
      "start 1000000, list 1000000 | Ready:OutOfMemory Degraded:OutOfMemory",
    ],
    [
      "is a lost node: nothing is started or ended",
      observed({ server: lost, ...fault("NodeLost", true) }),
      "nothing | Ready:NodeLost Degraded:NodeLost",
    ],
    ["is that it is not as its class asks", observed({ server: { ...ready, replace: true } }), "stop"],
    [
      "is that it is not the one that was named",
      observed({ server: { ...starting, replace: true } }),
      "stop | Ready:Starting",
    ],
  ])("%s", (_what, input, expected) => {
    expect(line(desired(input))).toBe(expected);
  });

  test("until the directory has been asked, what was told before holds", () => {
    const before = [
      { type: "Claimed", status: true, reason: "Claimed" },
      { type: "Listed", status: true, reason: "Listed" },
    ] as const;
    expect(line(desired(observed({ listing: unknown, before })))).toBe("list 500 | again in 30000");
  });
});

describe("what an AtSign needs that gives its name away and", () => {
  const released = { run: "Released", releaseTo: "heir" } as const;
  test.each<[string, Observed, string]>([
    ["serves", observed(released), "stop | Ready:Released"],
    ["is ending", observed({ ...released, server: stopping }), "nothing | Ready:Released"],
    ["has ended", observed({ ...released, server: absent }), "hand over to heir | again in 30000 | Ready:Released"],
    [
      "has given it",
      observed({ ...released, server: absent, listing: taken }),
      "nothing | Ready:Released Claimed:Released Listed:NotListed",
    ],
  ])("%s", (_what, input, expected) => {
    expect(line(desired(input))).toBe(expected);
  });
});

describe("what a suspended AtSign needs", () => {
  test.each<[string, Observed, string]>([
    ["serves still", observed(), "stop | Ready:Suspended"],
    ["is ending", observed({ server: stopping }), "nothing | Ready:Suspended"],
    ["rests", observed({ server: absent }), "nothing | Ready:Suspended"],
    ["kept ending before", observed({ server: failed(9) }), "nothing | Ready:Suspended Degraded:CrashLoop"],
    [
      "is new: the name is taken all the same",
      observed({ ...fresh, listing: unknown }),
      "list 1000000 | again in 30000 | Ready:Suspended Claimed:DirectoryUnreachable Provisioned:NoVolume Listed:NotListed Activated:NotActivated",
    ],
    [
      "never ran, and has its name: later looks bring nothing new",
      observed({ ...fresh, listing: { ...ours, generation: 999 } }),
      "nothing | Ready:Suspended Provisioned:NoVolume Activated:NotActivated",
    ],
    [
      "has a record that is too old",
      observed({ listing: stale, server: absent }),
      "list 1000000 | again in 30000 | Ready:Suspended Claimed:StaleGeneration Listed:NotListed",
    ],
    [
      "has lost its name: it is not for us to refuse its clients",
      observed({ listing: taken, server: absent }),
      "list 1000000 | again in 30000 | Ready:Suspended Claimed:NameTaken Listed:NotListed",
    ],
  ])("that %s", (_what, input, expected) => {
    expect(line(desired({ ...input, wanted: { ...input.wanted, run: "Suspended" } }))).toBe(expected);
  });
});

describe("what a withdrawn AtSign needs", () => {
  const gone = { server: absent } as const;
  test.each<[string, Observed, string]>([
    ["runs", observed(delete_), "stop | Ready:Withdrawn"],
    ["is ending: nothing yet", observed({ ...delete_, server: stopping }), "nothing | Ready:Withdrawn"],
    [
      "ended, and shall be deleted",
      observed({ ...delete_, ...gone }),
      "delete-data, release, forget | Ready:Withdrawn",
    ],
    [
      "kept ending, and shall be deleted",
      observed({ ...delete_, ...gone, server: failed(2) }),
      "delete-data, release, forget | Ready:Withdrawn",
    ],
    [
      "shall be deleted, and has lost its name",
      observed({ ...delete_, ...gone, listing: taken }),
      "delete-data, forget | Ready:Withdrawn Claimed:NameTaken Listed:NotListed",
    ],
    ["ended, and shall be kept", observed({ ...retain, ...gone }), "park 500 | again in 30000 | Ready:Withdrawn"],
    [
      "is kept already",
      observed({ ...retain, ...gone, listing: parked }),
      "forget | again in 30000 | Ready:Withdrawn Listed:Parked",
    ],
    [
      "shall be kept, and the directory was started again",
      observed({ ...retain, ...gone, listing: unknown }),
      "park 500 | again in 30000 | Ready:Withdrawn Claimed:DirectoryUnreachable Listed:NotListed",
    ],
    [
      "shall be kept, and a newer record is there",
      observed({ ...retain, ...gone, listing: stale }),
      "park 1000000 | again in 30000 | Ready:Withdrawn Claimed:StaleGeneration Listed:NotListed",
    ],
    [
      "never had its name",
      observed({ ...retain, ...fresh, listing: taken }),
      "forget | again in 30000 | Ready:Withdrawn Claimed:NameTaken Provisioned:NoVolume Listed:NotListed Activated:NotActivated",
    ],
  ])("that %s", (_what, input, expected) => {
    expect(line(desired(input))).toBe(expected);
  });
});

test("every condition is told each time, with a published reason", () => {
  for (const input of [observed(), observed(fresh), observed(delete_), observed({ listing: taken })]) {
    const { conditions } = desired(input);
    expect(conditions.map(({ type }) => type)).toEqual(Object.keys(reasons));
    for (const { type, reason } of conditions) expect(reasons[type as ConditionType]).toContain(reason);
  }
});
