import { type AddressInfo, createServer, connect as openSocket, type Socket } from "node:net";
import type { Link, LinkUser, Listener, Net } from "./link.ts";

/** TCP over the public API of Node: the reference, and what is used where the faster one cannot be. */
export const socketNet: Net = {
  async listen({ host, port }, { accept, acceptFailed }) {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
      accept(new SocketLink(socket, nobody));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port, backlog }, () => {
        server.off("error", reject);
        server.on("error", (error: NodeJS.ErrnoException) => acceptFailed(error.code ?? error.message));
        resolve();
      });
    });
    return {
      address: { host, port: (server.address() as AddressInfo).port },
      // Not awaited: the callback comes only when every accepted connection has ended, too.
      async [Symbol.asyncDispose]() {
        server.close();
      },
    } satisfies Listener;
  },

  connect({ host, port }, user) {
    const socket = openSocket({ host, port, allowHalfOpen: true, noDelay: true });
    const link = new SocketLink(socket.pause(), user);
    socket.once("connect", () => link.user.onConnect(link));
    return link;
  },
};

/** Connections that the kernel may hold for us while we are busy; it cuts this to net.core.somaxconn. */
export const backlog = 4_096;

class SocketLink implements Link {
  user: LinkUser;
  readonly remoteAddress: string;
  readonly #socket: Socket;
  #released = false;
  #error: string | undefined;

  constructor(socket: Socket, user: LinkUser) {
    this.user = user;
    this.remoteAddress = socket.remoteAddress ?? "";
    this.#socket = socket
      .on("data", (bytes) => this.user.onData(this, bytes))
      .on("drain", () => this.user.onDrain(this))
      .on("end", () => this.user.onEnd(this))
      .on("error", (error: NodeJS.ErrnoException) => {
        this.#error = error.code ?? error.message;
      })
      .on("close", () => {
        if (!this.#released) this.user.onClose(this, this.#error);
      });
    socket.pause(); // "data" has set it flowing
  }

  read(): void {
    this.#socket.resume();
  }

  pause(): void {
    this.#socket.pause();
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(Buffer.from(bytes));
  }

  end(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#release();
    // A socket that is being shut down cannot be reset; tried all the same, it would stay open for ever.
    if (this.#socket.writableEnded) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  destroy(): void {
    this.#release();
    this.#socket.destroy();
  }

  #release(): void {
    this.#released = true;
    this.#socket.removeAllListeners("data").removeAllListeners("drain").removeAllListeners("end");
  }
}

/** The user of a link between its birth and the moment that `accept` sets one. */
export const nobody: LinkUser = {
  onConnect() {},
  onData() {},
  onDrain() {},
  onEnd() {},
  onClose() {},
};
