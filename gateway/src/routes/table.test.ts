import { describe, expect, test } from "@jest/globals";
import { type Route, RouteTable } from "./table.ts";

const route = (host: string, epoch: number): Route => ({
  host,
  state: "Serving",
  upstream: { host: "127.0.0.1", port: 1 },
  uid: "u",
  epoch,
});

describe("the table", () => {
  test("takes newer and equal epochs, and refuses older ones", () => {
    const table = new RouteTable();
    expect(table.put(route("a.test", 5))).toBe(true);
    expect(table.put(route("a.test", 4))).toBe(false);
    expect(table.get("a.test")?.epoch).toBe(5);
    expect(table.put({ ...route("a.test", 5), state: "Suspended" })).toBe(true);
    expect(table.get("a.test")?.state).toBe("Suspended");
  });

  test("is not emptied by old news", () => {
    const table = new RouteTable();
    table.put(route("a.test", 5));
    table.remove("a.test", 4);
    expect(table.size).toBe(1);
    table.remove("a.test", 5);
    table.remove("b.test", 1);
    expect(table.size).toBe(0);
  });

  test("is exchanged as a whole, except for what is newer", () => {
    const table = new RouteTable();
    expect(table.ready).toBe(false);
    expect(table.replace([route("a.test", 5), route("b.test", 5)])).toEqual([]);
    expect(table.ready).toBe(true);
    expect(table.replace([route("a.test", 4), route("c.test", 1)])).toEqual([route("a.test", 4)]);
    expect(["a.test", "b.test", "c.test"].map((host) => table.get(host)?.epoch)).toEqual([5, undefined, 1]);
  });

  test("tells of the next change of a host, once", () => {
    const table = new RouteTable();
    const told: string[] = [];
    table.whenChanged("a.test", () => told.push("put"));
    const cancel = table.whenChanged("a.test", () => told.push("cancelled"));
    cancel();
    table.put(route("b.test", 1));
    expect(told).toEqual([]);
    table.put(route("a.test", 1));
    table.put(route("a.test", 2));
    expect(told).toEqual(["put"]);
    table.whenChanged("a.test", () => told.push("refused"));
    table.put(route("a.test", 1));
    expect(told).toEqual(["put"]);
    table.replace([]);
    expect(told).toEqual(["put", "refused"]);
  });
});
