import type { Row } from "../row.ts";
import { stateRows, wireRows } from "./wire.ts";

/** Every statement, by the document that makes it. */
export const rows: readonly Row[] = [...wireRows, ...stateRows];
