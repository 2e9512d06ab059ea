import type { Row } from "../row.ts";
import { activationRows } from "./activation.ts";
import { loginRows } from "./login.ts";
import { readRows } from "./reads.ts";
import { stateRows, wireRows } from "./wire.ts";

/** Every statement, by the document that makes it. */
export const rows: readonly Row[] = [...wireRows, ...stateRows, ...loginRows, ...activationRows, ...readRows];
