import { type AtSign, type NotifyParams, ProtocolError, notify as syntax } from "@atrium/protocol";
import { receive } from "../notifications/receive.ts";
import { isEncrypted, keyOf } from "../notifications/subject.ts";
import { type Parts, verb } from "./verb.ts";

/**
 * From the owner: tells another atSign of a record, or the owner's other apps; answered by its id once it is kept, before
 * it is delivered. From another atServer: takes what its atSign tells this one.
 */
export const notify = verb({
  syntax,
  // Anybody, to be told better what is missing.
  allow: ["owner", "peer", "anonymous"],
  needs: (params, { atSign }) => ({ access: "rw", key: keyOf({ ...params, owner: atSign }), doing: "notify" }),
  handle(params, parts, { state, peer }) {
    if (state === "owner") return send(params, parts);
    if (peer === undefined) {
      throw new ProtocolError("unauthenticated", "Notify command cannot be executed without authentication");
    }
    return receive(params, peer, parts).then(() => "success");
  },
});

async function send(params: NotifyParams, { atSign, store, notifications }: Parts): Promise<string> {
  assertOwn(params.owner, atSign);
  const outgoing = { ...params, ...outgoingOf(params, atSign), to: params.to ?? atSign };
  const id = await store.write((tx) => notifications.add(tx, outgoing));
  notifications.committed();
  return id;
}

/** @throws {ProtocolError} */
export function assertOwn(owner: AtSign | undefined, atSign: AtSign): void {
  if (owner === undefined || owner === atSign) return;
  throw new ProtocolError("unauthorized", `${owner} is not authorized to send notification as ${atSign}`);
}

type Said = Pick<NotifyParams, "to" | "name" | "messageType" | "operation" | "value" | "metadata">;

/** What follows from a client's words for one recipient. */
export function outgoingOf(said: Said, atSign: AtSign) {
  const { ttr, ccd, ...metadata } = said.metadata;
  // Without a value there is nothing that the recipient could keep.
  const kept = said.value === undefined && said.operation === "update" ? metadata : said.metadata;
  return { key: keyOf({ ...said, owner: atSign }), isEncrypted: isEncrypted(said), metadata: kept };
}
