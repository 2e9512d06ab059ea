import type { Run } from "../run.ts";
import { states } from "./conversation.ts";
import { fuzz, growth } from "./fuzz.ts";

/** What an atServer may have grown by over a million lines that leave nothing to remember, its beginning aside. */
const maxGrowthBytes = 16 * 1024 * 1024;
const linesPerReport = 20_000;
/** Fewer figures say nothing. */
const leastFigures = 30;

export const fuzzRun: Run = {
  help: `says what it should not to an atServer, by grammar and by bytes, as anybody, owner, app and peer
  --lines N    how many lines (1000000)`,
  count: { option: "lines", usual: 1_000_000 },
  async start({ count, print, ...options }) {
    let reported = 0;
    const { lines, failure, memory } = await fuzz({
      ...options,
      lines: count,
      states,
      onProgress({ lines, privateBytes }) {
        if (lines < reported + linesPerReport) return;
        reported = lines;
        print(`${lines} lines, private memory ${megabytes(privateBytes)}`);
      },
    });
    print(`${lines} lines`);
    if (failure !== undefined) return [failure];
    if (memory.length < leastFigures) return [];
    const grown = growth(memory);
    print(`private memory ${megabytes(memory.at(-1) ?? 0)}, grown by ${megabytes(grown)} over the last third`);
    return grown > maxGrowthBytes ? [`private memory grew by ${megabytes(grown)}`] : [];
  },
};

function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MB`;
}
