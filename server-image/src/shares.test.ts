import { expect, test } from "@jest/globals";
import { divide } from "./shares.ts";

test.each([
  ["what an atServer has by default", 44_040_192, 10_240_000, [13_320_192, 10_240_000]],
  ["much", 200_000_000, 10_240_000, [80_000_000, 40_000_000]],
  ["too little for the longest", 65_536, 10_240_000, [12_800_000, 10_240_000]],
  ["little, for short ones", 1_000_000, 100_000, [400_000, 200_000]],
])("%s is divided", (_case, held, line, [commands, reader]) => {
  const shares = divide(held, line);
  expect(shares.commands.capBytes).toBe(commands);
  for (const share of [shares.owner, shares.others, shares.deliveries]) expect(share.capBytes).toBe(reader);
});

test("tells what is taken in all, and of each large command that begins", () => {
  let begun = 0;
  const shares = divide(1_000, 100, () => begun++);
  shares.commands.open(() => undefined).want(50);
  shares.others.tryTake(7);
  expect([shares.takenBytes, begun]).toEqual([57, 1]);
});
