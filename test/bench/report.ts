import { median } from "./alternate.ts";
import type { Comparison, Figure, Sample } from "./figure.ts";

/** One line of standard output. */
export interface Line {
  readonly figure: string;
  readonly unit: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly ratio: number | null;
  readonly target: string;
  readonly met: boolean;
  readonly peerName: string | null;
  /** every reading, in order: how far they lie apart shows how much to believe of the median */
  readonly readings: { readonly ours: readonly number[]; readonly peer: readonly number[] };
  readonly limit: { readonly ours: string | null; readonly peer: string | null };
  readonly conditions: string;
}

export function lineOf(figure: Figure, { ours, peer, conditions }: Comparison): Line {
  const our = median(values(ours));
  const other = peer.length === 0 ? null : median(values(peer));
  const ratio = other === null ? null : ratioOf(ours, peer);
  const { of, bound, value } = figure.target;
  const judged = of === "ours" ? our : (ratio ?? Number.NaN);
  return {
    figure: figure.name,
    unit: figure.unit,
    ours: rounded(our),
    peer: other === null ? null : rounded(other),
    ratio: ratio === null ? null : rounded(ratio),
    target: `${of} ${bound} ${value}`,
    met: bound === "≤" ? judged <= value : judged >= value,
    peerName: figure.peer ?? null,
    readings: {
      ours: values(ours).map(rounded),
      peer: values(peer).map(rounded),
    },
    limit: { ours: limitOf(ours), peer: limitOf(peer) },
    conditions,
  };
}

/** Of neighbours in time where there are rounds: what slows the machine for a while slows both of a round. */
function ratioOf(ours: readonly Sample[], peer: readonly Sample[]): number {
  if (ours.length !== peer.length) return median(values(ours)) / median(values(peer));
  return median(ours.map(({ value }, round) => value / (peer[round]?.value ?? Number.NaN)));
}

function values(samples: readonly Sample[]): number[] {
  return samples.map(({ value }) => value);
}

/** Which side was busy: a server well below one core was waiting for the load generators. */
function limitOf(samples: readonly Sample[]): string | null {
  const servers = samples.flatMap(({ serverCores }) => serverCores ?? []);
  const loads = samples.flatMap(({ loadCores }) => loadCores ?? []);
  if (servers.length === 0 || loads.length === 0) return null;
  const server = median(servers);
  const side = server >= 0.9 ? "server" : "load or waiting";
  return `${side} (server ${server.toFixed(2)} cores, ${samples[0]?.loadProcesses ?? "?"} load processes ${median(loads).toFixed(2)})`;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

export function table(lines: readonly Line[], titles: ReadonlyMap<string, string>): string {
  const rows = [
    ["figure", "ours", "peer", "ratio", "target", ""],
    ...lines.map((line) => [
      `${titles.get(line.figure) ?? line.figure}, ${line.unit}`,
      String(line.ours),
      line.peer === null ? "-" : `${line.peer} (${line.peerName})`,
      line.ratio === null ? "-" : line.ratio.toFixed(2),
      line.target,
      line.met ? "met" : "SHORT",
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const text = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`);
  text.splice(1, 0, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`);
  return text.join("\n");
}
