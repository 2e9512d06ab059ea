import type { AtSign } from "@atrium/protocol";
import type { Condition, ObstacleReason } from "./conditions.ts";

/** What was seen of one AtSign. Everything that {@link desired} decides from is here, the time included. */
export interface Observed {
  /** epoch milliseconds */
  readonly now: number;
  readonly wanted: Wanted;
  /** the last epoch that a server was given; 0 when there never was one: then the name was not yet claimed */
  readonly epoch: number;
  /** where the stored data is */
  readonly volume: "absent" | "present";
  /** which it is, for people */
  readonly volumeNote?: string | undefined;
  readonly listing: Listing;
  readonly server: Server;
  readonly activated: boolean;
  /** what people must see to; undefined when nothing is known to be in the way */
  readonly obstacle?: Obstacle | undefined;
  /** what was told before this process began: it holds until the directory has been asked */
  readonly before?: readonly Condition[];
}

/** What the resource asks for. */
export interface Wanted {
  readonly atSign: AtSign;
  /**
   * withdrawn: the resource is gone, and what it left is to be taken care of; released: it is there, and its name is given
   * to another claim
   */
  readonly run: "Always" | "Suspended" | "Withdrawn" | "Released";
  /** released: to which claim */
  readonly releaseTo?: string;
  readonly deletionPolicy: "Retain" | "Delete";
}

/**
 * The AtSign's record in the directory. `unknown` until the directory has answered since it or this process started, and
 * while it takes no new names because it may lack some; `refused` with the reason why the directory does not take the
 * record.
 */
export type Listing =
  | { readonly state: "unknown"; readonly waitsForNames?: true }
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

/** Something that does not go away by itself. */
export interface Obstacle {
  readonly reason: ObstacleReason;
  /** what is wrong, and what to do about it, for people */
  readonly message: string;
  /** whether nothing can be started as long as it is there */
  readonly preventsStart: boolean;
}

/** The atServer of the AtSign: a process here, a pod in a cluster. */
export type Server =
  | { readonly state: "absent" }
  | ({ readonly state: "failed"; readonly replace?: boolean } & Failure)
  | { readonly state: "starting"; readonly epoch: number; readonly after?: Failure; readonly replace?: boolean }
  | { readonly state: "stopping"; readonly epoch: number }
  /** whether it runs cannot be known; nothing may run in its place */
  | { readonly state: "lost"; readonly epoch: number }
  | {
      readonly state: "ready";
      readonly epoch: number;
      readonly uid: string;
      readonly address: string;
      readonly port: number;
      /** it is not as it should be now: it shall end, and another be started */
      readonly replace?: boolean;
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
