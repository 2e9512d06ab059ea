import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { testCa } from "../kit/certificates.ts";
import { freePorts } from "./ports.ts";
import { type Program, startProgram } from "./program.ts";

export interface ControlPlaneOptions {
  /** of binaries by their names */
  readonly binary: (name: string) => string;
  /** for certificates, data and logs; made when it is not there */
  readonly directory: string;
  /** address and port of the API server; loopback and a free port without it */
  readonly address?: string;
  readonly extraFlags?: readonly string[];
}

/** API server and etcd: enough for everything that needs no pod to run. */
export interface ControlPlane extends AsyncDisposable {
  readonly url: string;
  /** PEM */
  readonly ca: string;
  /** of the group system:masters */
  readonly token: string;
  /** file */
  readonly kubeconfig: string;
  readonly etcdUrl: string;
  apiServer: Program;
  /** starts the API server again after it was stopped or killed */
  restartApiServer(): Promise<void>;
}

const serviceNetwork = "10.214.0.0/16";
const kubernetesServiceAddress = "10.214.0.1";

export async function startControlPlane({
  binary,
  directory,
  address = "127.0.0.1",
  extraFlags = [],
}: ControlPlaneOptions): Promise<ControlPlane> {
  mkdirSync(directory, { recursive: true });
  const file = (name: string, content: string) => {
    const path = join(directory, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  const [apiPort = 0, etcdPort = 0, etcdPeerPort = 0] = await freePorts(3);
  const authority = testCa();
  const serving = authority.issue({
    dns: ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"],
    ip: ["127.0.0.1", kubernetesServiceAddress, address],
  });
  const kubeletClient = authority.issue({ dns: ["kube-apiserver"], client: true });
  const serviceAccounts = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const token = randomBytes(24).toString("hex");
  const url = `https://${address}:${apiPort}`;
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const files = {
    ca: file("ca.pem", authority.pem),
    certificate: file("apiserver.pem", serving.certificate),
    key: file("apiserver-key.pem", serving.key),
    serviceAccountKey: file("service-accounts.pub", serviceAccounts.publicKey),
    serviceAccountSigningKey: file("service-accounts.key", serviceAccounts.privateKey),
    kubeletClientCertificate: file("kubelet-client.pem", kubeletClient.certificate),
    kubeletClientKey: file("kubelet-client-key.pem", kubeletClient.key),
    tokens: file("tokens.csv", `${token},admin,admin,"system:masters"\n`),
  };
  const etcd = await startProgram({
    command: binary("etcd"),
    args: [
      ...["--data-dir", join(directory, "etcd"), "--listen-client-urls", etcdUrl, "--advertise-client-urls", etcdUrl],
      ...["--listen-peer-urls", `http://127.0.0.1:${etcdPeerPort}`, "--unsafe-no-fsync", "--log-level", "warn"],
      ...["--initial-advertise-peer-urls", `http://127.0.0.1:${etcdPeerPort}`],
      ...["--initial-cluster", `default=http://127.0.0.1:${etcdPeerPort}`],
    ],
    log: join(directory, "etcd.log"),
    ready: async () => (await fetch(`${etcdUrl}/health`).catch(() => undefined))?.ok === true,
  });
  const startApiServer = () =>
    startProgram({
      command: binary("kube-apiserver"),
      args: [
        ...["--etcd-servers", etcdUrl, "--bind-address", address, "--secure-port", String(apiPort)],
        ...["--advertise-address", address === "127.0.0.1" ? "192.0.2.1" : address],
        ...["--tls-cert-file", files.certificate, "--tls-private-key-file", files.key],
        ...["--client-ca-file", files.ca, "--token-auth-file", files.tokens, "--authorization-mode", "Node,RBAC"],
        ...["--service-account-issuer", "https://kubernetes.default.svc"],
        ...["--service-account-key-file", files.serviceAccountKey],
        ...["--service-account-signing-key-file", files.serviceAccountSigningKey],
        ...["--service-cluster-ip-range", serviceNetwork, "--endpoint-reconciler-type", "none", "--allow-privileged"],
        ...[
          "--kubelet-client-certificate",
          files.kubeletClientCertificate,
          "--kubelet-client-key",
          files.kubeletClientKey,
        ],
        ...["--kubelet-preferred-address-types", "InternalIP", ...extraFlags],
      ],
      log: join(directory, "kube-apiserver.log"),
      ready: () => isReady(url, authority.pem, token),
    });
  try {
    let apiServer = await startApiServer();
    return {
      ...{ url, ca: authority.pem, token, etcdUrl },
      kubeconfig: file("kubeconfig", kubeconfig({ url, ca: authority.pem, token })),
      get apiServer() {
        return apiServer;
      },
      async restartApiServer() {
        apiServer = await startApiServer();
      },
      async [Symbol.asyncDispose]() {
        await apiServer.stop();
        await etcd.stop();
      },
    };
  } catch (error) {
    await etcd.stop();
    throw error;
  }
}

/** As JSON, which is YAML: kubectl and the clients read it. */
function kubeconfig({ url, ca, token }: { url: string; ca: string; token: string }): string {
  const name = "atrium";
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server: url, "certificate-authority-data": Buffer.from(ca).toString("base64") } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
  });
}

function isReady(url: string, ca: string, token: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asking = request(`${url}/readyz`, {
      ca,
      headers: { authorization: `Bearer ${token}` },
      timeout: 1_000,
      agent: false,
    });
    asking.once("response", (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asking.once("error", () => resolve(false));
    asking.once("timeout", () => asking.destroy(new Error("timeout")));
    asking.end();
  });
}
