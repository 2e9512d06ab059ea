/** Why the platform does not start, in one line for the one who started it. */
export class StartError extends Error {
  override readonly name = "StartError";
}
