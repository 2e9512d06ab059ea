import { type ConfigParams, ProtocolError, config as syntax } from "@atrium/protocol";
import type { Enrollment } from "../connection.ts";
import { isRoot } from "../rights/rights.ts";
import { verb } from "./verb.ts";

/** Keeps the list of atSigns that `from` refuses. Settings cannot be changed by a client. */
export const config = verb({
  syntax,
  allow: ["owner"],
  async handle(params, { blockList, endConnections }, { enrollment }) {
    assertGranted(params, enrollment);
    switch (params.operation) {
      case "add":
        await blockList.add(params.atSigns);
        endConnections(({ peer }) => peer !== undefined && blockList.has(peer));
        return "success";
      case "remove":
        await blockList.remove(params.atSigns);
        return "success";
      case "show": {
        const blocked = blockList.list();
        return blocked.length === 0 ? null : JSON.stringify(blocked);
      }
      default:
        return "testing mode disabled by default";
    }
  },
});

/** Whom the atSign refuses is decided by the apps that may do everything. */
function assertGranted({ operation }: ConfigParams, enrollment: Enrollment | undefined): void {
  const isBlockList = operation === "add" || operation === "remove" || operation === "show";
  if (!isBlockList || enrollment === undefined || isRoot(enrollment.namespaces)) return;
  throw new ProtocolError(
    "unauthorized",
    `Connection with enrollment ID ${enrollment.id} is not authorized to configure the block list`,
  );
}
