import { config as syntax } from "@atrium/protocol";
import { verb } from "./verb.ts";

/** Keeps the list of atSigns that `from` refuses. Settings cannot be changed by a client. */
export const config = verb({
  syntax,
  allow: ["owner"],
  async handle(params, { blockList }) {
    switch (params.operation) {
      case "add":
        await blockList.add(params.atSigns);
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
