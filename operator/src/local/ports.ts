import { createServer } from "node:net";
import { StartError } from "./start-error.ts";

/**
 * Sees whether something can listen there. The service that will is started later and says less clearly why it cannot.
 *
 * @param option names the option that chooses another port
 * @throws {StartError} when it cannot
 */
export async function assertFree(host: string, port: number, option: string): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    throw new StartError(faultOf((error as NodeJS.ErrnoException).code, host, port, option), { cause: error });
  } finally {
    server.close();
  }
}

function faultOf(code: string | undefined, host: string, port: number, option: string): string {
  if (code === "EADDRINUSE")
    return `port ${port} is in use. Stop what uses it, or choose another one with ${option} PORT.`;
  if (code === "EACCES")
    return `port ${port} needs rights that you do not have. Choose another one with ${option} PORT.`;
  return `cannot listen on ${host}, port ${port}: ${code}. Choose another address with --listen ADDRESS.`;
}
