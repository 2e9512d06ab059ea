import { expect, test } from "@jest/globals";
import { type Action, desired } from "./desired.ts";
import type { Observed, Route } from "./observe.ts";
import { routeOf } from "./route.ts";

const host = "alice.at.test";

/** A small world that obeys plans: one directory, one AtSign of ours, and somebody else who may want its name. */
class World {
  now = 1_000;
  run: Observed["wanted"]["run"] = "Always";
  deletionPolicy: Observed["wanted"]["deletionPolicy"] = "Retain";
  directoryAway = false;
  epoch = 0;
  holder: "ours" | "theirs" | undefined;
  held = { generation: 0, parked: false };
  listing: Observed["listing"] = { state: "unknown" };
  server: Observed["server"] = { state: "absent" };
  route: Route | undefined;
  /** the newest epoch that gateways have heard of */
  told = 0;
  data = false;
  forgotten = false;
  readonly epochs: number[] = [];

  observe(): Observed {
    const { now, run, deletionPolicy, epoch, listing, server, data } = this;
    const wanted = { atSign: "@alice", run, deletionPolicy } as const;
    return { now, wanted, epoch, volume: data ? "present" : "absent", listing, server, activated: false };
  }

  /** One look of the reconciler: stops at the first action that fails, as it does. */
  look(): number {
    if (this.forgotten) return 0;
    const observed = this.observe();
    const { actions } = desired(observed);
    this.tell(routeOf(observed, host));
    for (const action of actions) if (!this.apply(action)) break;
    return actions.length;
  }

  apply(action: Action): boolean {
    switch (action.do) {
      case "list":
        return this.list(action.generation, action.parked);
      case "release":
        if (this.directoryAway) return false;
        if (this.holder === "ours") this.holder = undefined;
        return true;
      case "start":
        expect(["absent", "failed"]).toContain(this.server.state);
        expect(this.epoch > 0 || this.holder === "ours").toBe(true);
        this.epoch = action.epoch;
        this.epochs.push(action.epoch);
        this.data = true;
        this.server = { state: "starting", epoch: action.epoch };
        return true;
      case "stop":
        this.server = { state: "absent" };
        return true;
      case "hand-over":
        throw new Error("nobody asked for it");
      case "delete-data":
        expect(["absent", "failed"]).toContain(this.server.state);
        expect(this.deletionPolicy).toBe("Delete");
        this.data = false;
        return true;
      case "forget":
        expect(this.run).toBe("Withdrawn");
        this.forgotten = true;
        return true;
    }
  }

  tell(route: Route | undefined): void {
    if (route !== undefined) {
      // Gateways refuse an older one.
      expect(route.epoch).toBeGreaterThanOrEqual(this.told);
      this.told = route.epoch;
    }
    this.route = route;
  }

  list(generation: number, parked: boolean): boolean {
    if (this.directoryAway) return false;
    if (this.holder === "theirs") this.listing = { state: "refused", reason: "claimed" };
    else if (this.holder === "ours" && this.held.generation > generation)
      this.listing = { state: "refused", reason: "stale-generation" };
    else {
      this.holder = "ours";
      this.held = { generation, parked };
      this.listing = { state: "ours", generation, parked };
    }
    return true;
  }

  /** Until nothing is left to do. */
  settle(): void {
    for (let looks = 0; looks < 20; looks += 1) {
      this.now += 60_000;
      if (this.server.state === "starting") {
        this.server = { state: "ready", epoch: this.epoch, uid: `${this.epoch}`, address: "127.0.0.1", port: 1 };
      }
      if (this.look() === 0) return;
    }
    throw new Error("there is always something left to do");
  }
}

type Event = (world: World) => void;
const events: Record<string, Event> = {
  look: (world) => void world.look(),
  "time passes": (world) => {
    world.now += 700;
  },
  "clock goes back": (world) => {
    world.now -= 5_000;
  },
  "atServer is ready": (world) => {
    if (world.server.state !== "starting") return;
    world.server = { state: "ready", epoch: world.epoch, uid: `${world.epoch}`, address: "127.0.0.1", port: 1 };
  },
  "atServer ends": (world) => {
    if (world.server.state !== "starting" && world.server.state !== "ready") return;
    world.server = { state: "failed", failures: 1, endedAt: world.now, how: "SIGKILL" };
  },
  "directory goes": (world) => {
    world.directoryAway = true;
  },
  "directory comes back empty": (world) => {
    world.directoryAway = false;
    if (world.holder === "ours") world.holder = undefined;
    world.listing = { state: "unknown" };
  },
  "directory comes back with what it had": (world) => {
    world.directoryAway = false;
    world.listing = { state: "unknown" };
  },
  "a newer record is there": (world) => {
    if (world.holder === "ours") world.held = { ...world.held, generation: world.held.generation + 10 };
  },
  "somebody takes a free name": (world) => {
    world.holder ??= "theirs";
  },
  "suspended by its owner": (world) => {
    world.run = "Suspended";
  },
  "wanted by its owner": (world) => {
    world.run = "Always";
  },
};

const rounds = 1_000;
const longest = 40;

/** The same histories each time, short ones first: the first that fails is easy to follow. */
function* histories(): Generator<string[]> {
  const names = Object.keys(events);
  let state = 1;
  // Numerical Recipes' generator; its upper bits are random enough to choose events.
  const below = (limit: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  for (let round = 0; round < rounds; round += 1) {
    const length = Math.floor((round * longest) / rounds);
    yield Array.from({ length }, () => names[below(names.length)] ?? "look");
  }
}

function forEachHistory(check: (history: readonly string[]) => void): void {
  for (const history of histories()) {
    try {
      check(history);
    } catch (cause) {
      throw new Error(`after: ${history.join(", ")}`, { cause });
    }
  }
}

function play(history: readonly string[]): World {
  const world = new World();
  for (const event of history) events[event]?.(world);
  return world;
}

test("whatever happened, it serves in the end when it can", () => {
  forEachHistory((history) => {
    const world = play(history);
    world.directoryAway = false;
    world.run = "Always";
    if (world.holder === "theirs") world.holder = undefined;
    world.listing = { state: "unknown" };
    world.settle();
    expect(world.server).toMatchObject({ state: "ready", epoch: world.epoch });
    expect(world.route).toMatchObject({ state: "Serving", epoch: world.epoch, uid: `${world.epoch}` });
    expect(world).toMatchObject({ holder: "ours", held: { generation: world.epoch, parked: false } });
    expect(world.epochs).toEqual([...new Set(world.epochs)].sort((a, b) => a - b));
  });
});

test.each(["Retain", "Delete"] as const)("whatever happened, withdrawn with %s it leaves what it should", (policy) => {
  forEachHistory((history) => {
    const world = play(history);
    const had = { data: world.data, theirs: world.holder === "theirs" };
    world.directoryAway = false;
    world.listing = { state: "unknown" };
    world.run = "Withdrawn";
    world.deletionPolicy = policy;
    world.settle();
    expect(world.forgotten).toBe(true);
    expect(["absent", "failed"]).toContain(world.server.state);
    expect(world.route).toBeUndefined();
    expect(world.data).toBe(policy === "Retain" && had.data);
    if (had.theirs) expect(world.holder).toBe("theirs");
    else if (policy === "Delete") expect(world.holder).toBeUndefined();
    else expect(world).toMatchObject({ holder: "ours", held: { parked: true } });
  });
});

test("whatever happened, suspended it comes to rest: its name is kept, and nobody is let in", () => {
  forEachHistory((history) => {
    const world = play(history);
    world.directoryAway = false;
    if (world.holder === "theirs") world.holder = undefined;
    world.listing = { state: "unknown" };
    world.run = "Suspended";
    world.settle();
    expect(["absent", "failed"]).toContain(world.server.state);
    expect(world.route).toMatchObject({ state: "Suspended" });
    expect(world).toMatchObject({ holder: "ours", held: { parked: false } });
    // What is started later gets past all that was told, whatever the clock says.
    world.now -= 600_000;
    world.run = "Always";
    world.settle();
    expect(world.route).toMatchObject({ state: "Serving", epoch: world.epoch });
    expect(world.held.generation).toBe(world.epoch);
  });
});
