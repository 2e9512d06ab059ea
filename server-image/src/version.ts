/**
 * What clients are told: the release of the reference whose behaviour this server has. They compare it with versions
 * of the reference, to which a version of ours says nothing.
 */
export const protocolVersion = "3.0.52";
