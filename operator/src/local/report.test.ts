import { describe, expect, test } from "@jest/globals";
import type { Condition } from "../tenant/conditions.ts";
import type { PlatformView } from "./platform.ts";
import { Report } from "./report.ts";

const ready = (reason: string, message?: string) =>
  ({ type: "Ready", status: reason === "Serving", reason, ...(message !== undefined && { message }) }) as Condition;
const degraded = (message: string) => ({ type: "Degraded", status: true, reason: "CrashLoop", message }) as Condition;

function view(atSign: `@${string}`, changes: Partial<PlatformView> = {}): PlatformView {
  return {
    atSign,
    host: `${atSign.slice(1)}.at.test`,
    activated: false,
    activationSecret: "5ec7",
    conditions: [ready("Serving")],
    answered: true,
    ...changes,
  };
}

const alice = view("@alice");
const activated = { activated: true, activationSecret: undefined } as const;

describe("a report", () => {
  test("introduces Atsigns once they answer, in columns", () => {
    const report = new Report(6464);
    expect(report.lines([alice, view("@bo", activated)])).toEqual([
      "@alice   alice.at.test:6464   not activated   npm run at -- activate @alice --secret 5ec7",
      "@bo      bo.at.test:6464      activated",
    ]);
    expect(report.lines([alice, view("@bo", activated)])).toEqual([]);
    const carol = view("@carol", { answered: false, conditions: [ready("Starting")] });
    expect(report.lines([alice, carol])).toEqual(["@bo   withdrawn"]);
    expect(report.lines([alice, { ...carol, conditions: [ready("Serving")] }])).toEqual([]);
    expect(report.lines([alice, { ...carol, conditions: [ready("Serving")], answered: true }])).toEqual([
      "@carol   carol.at.test:6464   not activated   npm run at -- activate @carol --secret 5ec7",
    ]);
  });

  test("tells each end and each new beginning once", () => {
    const report = new Report(6464);
    report.lines([alice]);
    const now = (...conditions: Condition[]) => report.lines([{ ...alice, conditions }]);
    for (let time = 0; time < 2; time += 1) {
      expect(now(ready("Restarting", "SIGKILL"))).toEqual(["@alice   ended (SIGKILL); it is started again"]);
      expect(now(ready("Restarting", "SIGKILL"))).toEqual([]);
      expect(now(ready("Serving"))).toEqual(["@alice   serves again"]);
    }
    expect(now(ready("Restarting", "exit code 1"), degraded("ended 3 times in a row: exit code 1"))).toEqual([
      "@alice   ended 3 times in a row: exit code 1; it is started again, later and later",
    ]);
    expect(now(ready("Restarting", "exit code 1"), degraded("ended 4 times in a row: exit code 1"))).toHaveLength(1);
  });

  test("tells an activation", () => {
    const report = new Report(6464);
    report.lines([alice]);
    expect(report.lines([view("@alice", activated)])).toEqual(["@alice   activated"]);
    expect(report.lines([view("@alice", activated)])).toEqual([]);
  });

  test("tells trouble also of what never answered", () => {
    const report = new Report(6464);
    const claimed = { type: "Claimed", status: false, reason: "NameTaken" } as Condition;
    expect(report.lines([view("@alice", { answered: false, conditions: [ready("Unclaimed"), claimed] })])).toEqual([
      "@alice   not served: the directory refuses its record (NameTaken)",
    ]);
    expect(report.lines([view("@alice", { answered: false, conditions: [ready("Suspended")] })])).toEqual([
      "@alice   suspended: its clients are refused",
    ]);
  });
});
