import type { AtSign } from "@atrium/protocol";

/** What was seen of one AtSign. Everything that {@link desired} decides from is here, the time included. */
export interface Observed {
  /** epoch milliseconds */
  readonly now: number;
  readonly wanted: Wanted;
  /** the last epoch that a server was given; 0 when there never was one: then the name was not yet claimed */
  readonly epoch: number;
  /** where the stored data is */
  readonly volume: "absent" | "present";
  readonly listing: Listing;
  readonly server: Server;
  readonly activated: boolean;
  /** what the gateways are told at present */
  readonly route: Route | undefined;
}

/** What the resource asks for. */
export interface Wanted {
  readonly atSign: AtSign;
  /** withdrawn: the resource is gone, and what it left is to be taken care of */
  readonly run: "Always" | "Suspended" | "Withdrawn";
  readonly deletionPolicy: "Retain" | "Delete";
}

/**
 * The AtSign's record in the directory. `unknown` until the directory has answered since it or this process started;
 * `refused` with the reason why the directory does not take the record.
 */
export type Listing =
  | { readonly state: "unknown" }
  | { readonly state: "ours"; readonly generation: number; readonly parked: boolean }
  | { readonly state: "refused"; readonly reason: "claimed" | "host-taken" | "stale-generation" };

/** Ends without being asked to, each soon after its start. */
export interface Failure {
  /** in a row */
  readonly failures: number;
  /** the last one, epoch milliseconds */
  readonly endedAt: number;
  /** the last one, for people */
  readonly how: string;
}

/** The atServer of the AtSign: a process here, a pod in a cluster. */
export type Server =
  | { readonly state: "absent" }
  | ({ readonly state: "failed" } & Failure)
  | { readonly state: "starting"; readonly epoch: number; readonly after?: Failure }
  | { readonly state: "stopping"; readonly epoch: number }
  | {
      readonly state: "ready";
      readonly epoch: number;
      readonly uid: string;
      readonly address: string;
      readonly port: number;
    };

/** What the gateways know of a host. */
export interface Route {
  readonly host: string;
  readonly state: "Serving" | "Suspended";
  /** where the atServer listens; only when it serves */
  readonly address?: string;
  readonly port?: number;
  /** of the process or pod; empty when nothing serves */
  readonly uid: string;
  readonly epoch: number;
}
