import type { Comparison, Figure } from "../figure.ts";
import { runAtScale, type ScaleResults, type Sizes } from "./scale-run.ts";

type Judged = Omit<Figure, "measure"> & {
  readonly value: (
    results: ScaleResults,
    sizes: Sizes,
  ) => { readonly ours: number; readonly peer?: number; readonly note?: string };
};

const atMost = (of: "ours" | "ratio", value: number): Figure["target"] => ({ of, bound: "≤", value });
const kilobytes = (bytes: number): number => bytes / 1_024;

const judged: readonly Judged[] = [
  {
    name: "operator-ready",
    title: "operator: all AtSigns Ready",
    unit: "s",
    peer: "bare client",
    target: atMost("ratio", 2),
    value: ({ readySeconds: { operator, bareClient } }) => ({ ours: operator, peer: bareClient }),
  },
  {
    name: "operator-rest-writes",
    title: "operator: API writes at rest",
    unit: "writes",
    target: atMost("ours", 0),
    value: ({ rest }, { restSeconds }) => ({
      ours: rest.writes,
      note: `in ${restSeconds} s: ${rest.what}; quiet ${Math.round(rest.quietSeconds)} s after all were Ready`,
    }),
  },
  {
    name: "operator-memory",
    title: "operator: RSS per AtSign",
    unit: "KB",
    target: atMost("ours", 40),
    // All of it, the process itself too: what it has before is garbage in part, and would flatter the growth.
    value: ({ operatorBytes: { empty, full } }, { atSigns }) => ({
      ours: kilobytes(full) / atSigns,
      note: `${Math.round(kilobytes(full) / 1_024)} MB in all; ${Math.round(kilobytes(empty) / 1_024)} MB before, with all volume claims`,
    }),
  },
  {
    name: "operator-restart",
    title: "operator: restart until steady",
    unit: "s",
    target: atMost("ours", 30),
    value: ({ restart: { seconds, requests } }) => ({ ours: seconds, note: `${requests} requests` }),
  },
  {
    name: "operator-restart-writes",
    title: "operator: API writes of a restart",
    unit: "writes",
    target: atMost("ours", 0),
    value: ({ restart: { writes, what } }) => ({ ours: writes, note: what }),
  },
  {
    name: "operator-etcd",
    title: "operator: etcd bytes per AtSign awake",
    unit: "KB",
    target: atMost("ours", 16),
    value: ({ etcdBytes: { atSign, claim, secret, pod } }, { atSigns }) => {
      const each = (bytes: number) => Math.round(bytes / atSigns);
      return {
        ours: kilobytes(atSign + claim + secret + pod) / atSigns,
        note:
          `bytes: AtSign ${each(atSign)}, claim ${each(claim)}, activation Secret ${each(secret)}, pod ${each(pod)}; ` +
          `asleep ${each(atSign + claim)}`,
      };
    },
  },
  {
    name: "operator-gateway-memory",
    title: "gateway: RSS with all routes",
    unit: "MB",
    target: atMost("ours", 128),
    value: ({ gatewayBytes }) => ({ ours: kilobytes(gatewayBytes) / 1_024 }),
  },
  {
    name: "operator-route-delay",
    title: "gateway: pod ready to route",
    unit: "ms",
    target: atMost("ours", 100),
    value: ({ routeDelayMs: { median, slowest } }) => ({
      ours: median,
      note: `median while all start at once; slowest ${Math.round(slowest)} ms`,
    }),
  },
];

/** What the operator costs at scale. All figures come of one run, which the first of them begins. */
export function operatorFigures(sizes: Sizes): readonly Figure[] {
  let run: Promise<ScaleResults> | undefined;
  return judged.map(({ value, ...figure }) => ({
    ...figure,
    async measure(_resources, say): Promise<Comparison> {
      run ??= runAtScale(sizes, say);
      const results = await run;
      const { ours, peer, note } = value(results, sizes);
      return {
        ours: [{ value: ours }],
        peer: peer === undefined ? [] : [{ value: peer }],
        conditions: [results.conditions, ...(note === undefined ? [] : [note])].join("; "),
      };
    },
  }));
}
