export interface Pair {
  /** PEM chain, the leaf first */
  readonly certificate: string;
  /** PEM */
  readonly key: string;
}

/** Who this atServer is. All of it was checked: it parses, belongs together and is valid. */
export interface Certificates {
  /** shown to clients */
  readonly serving: Pair;
  /** shown to other atServers */
  readonly client: Pair;
  /** PEM bundle: the roots that other atServers' certificates chain to */
  readonly trust: string;
  /** end of the shortest life, epoch milliseconds */
  readonly expiresAtMs: number;
}

/** Where certificates and the activation secret come from; the same whatever platform there is behind it. */
export interface Identity extends AsyncDisposable {
  /** the last good one */
  readonly current: Certificates;
  /** @returns a function that ends this */
  onChange(listener: (certificates: Certificates) => void): () => void;
  /** undefined when there is none, or none any more */
  activationSecret(): string | undefined;
  /** Tells the source that the owner deleted the activation secret. May be repeated. */
  activated(): Promise<void>;
  /** Resolves when this process may not go on: its certificate has ended, and the source says that it is not the one to have another. */
  readonly forfeited: Promise<void>;
}
