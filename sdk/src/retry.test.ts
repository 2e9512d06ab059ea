import { expect, test } from "@jest/globals";
import { ClientError, type Reason } from "./errors.ts";
import { withRetries } from "./retry.ts";

/** An action that fails some times, and how often it was done. */
function failing(times: number, reason: Reason) {
  const counter = { done: 0 };
  const action = async () => {
    counter.done++;
    if (counter.done <= times) throw new ClientError(reason, "no");
    return "yes";
  };
  return { counter, action };
}

test("tries again what was not reachable", async () => {
  const { counter, action } = failing(2, "unreachable");
  expect(await withRetries(action)).toBe("yes");
  expect(counter.done).toBe(3);
});

test("gives up after four attempts", async () => {
  const { counter, action } = failing(9, "unreachable");
  await expect(withRetries(action)).rejects.toMatchObject({ reason: "unreachable" });
  expect(counter.done).toBe(4);
});

test.each<Reason>(["timeout", "untrusted", "not_found", "authentication", "refused"])(
  "does not repeat what ended as %s",
  async (reason) => {
    const { counter, action } = failing(1, reason);
    await expect(withRetries(action)).rejects.toMatchObject({ reason });
    expect(counter.done).toBe(1);
  },
);
