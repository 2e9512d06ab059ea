import type { Row } from "../row.ts";
import { activationRows } from "./activation.ts";
import { cachingRows } from "./caching.ts";
import { clientRows } from "./clients.ts";
import { directoryRows } from "./directory.ts";
import { enrollRows } from "./enroll.ts";
import { loginRows } from "./login.ts";
import { metadataRows } from "./metadata.ts";
import { monitorRows } from "./monitor.ts";
import { notifyRows } from "./notify.ts";
import { otherRows } from "./others.ts";
import { readRows } from "./reads.ts";
import { rightsRows } from "./rights.ts";
import { scanRows } from "./scan.ts";
import { syncRows } from "./sync.ts";
import { stateRows, wireRows } from "./wire.ts";
import { writeRows } from "./writes.ts";

/** Every statement, by the document that makes it. */
export const rows: readonly Row[] = [
  ...wireRows,
  ...stateRows,
  ...loginRows,
  ...activationRows,
  ...readRows,
  ...writeRows,
  ...metadataRows,
  ...scanRows,
  ...otherRows,
  ...notifyRows,
  ...monitorRows,
  ...cachingRows,
  ...syncRows,
  ...enrollRows,
  ...rightsRows,
  ...clientRows,
  ...directoryRows,
];
