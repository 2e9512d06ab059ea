import { createHash } from "node:crypto";
import { type Address, formatAddress } from "@atrium/runtime/config.ts";
import type { Applied } from "../../controller/writer.ts";
import type { AtSign } from "../../resources/at-sign.ts";
import type { AtSignClassSpec } from "../../resources/at-sign-class.ts";
import { epochAnnotation, labelsOf, objectName, templateAnnotation } from "../names.ts";

/** What all atServers of a cell are told. */
export interface Site {
  readonly zone: string;
  /** what the directory gives out */
  readonly gatewayPort: number;
  readonly identityUrl: string;
  /** the in-cluster listener of the gateways */
  readonly internalGateway: Address;
  /** where atServers ask for others */
  readonly directory: Address;
  /** of classes without one of their own */
  readonly image: string;
  /** networks that atServers may dial although they are private, as text */
  readonly privateAddresses: string | undefined;
  /** where atServers send their traces; undefined for none */
  readonly otlpEndpoint: string | undefined;
  /** PriorityClass of the pods */
  readonly priorityClass: string | undefined;
  /** PEM: who may call itself operator */
  readonly trust: string;
}

const port = 6464;
const healthPort = 9464;
const user = 65_532;

interface Options {
  readonly atSign: AtSign;
  readonly spec: AtSignClassSpec;
  readonly host: string;
  readonly site: Site;
}

/** The one pod of an AtSign, for an epoch. */
export function podOf(options: Options, epoch: number): Applied {
  const { metadata } = options.atSign;
  const { name, namespace, uid = "" } = metadata;
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: objectName(name, "atserver"),
      ...(namespace !== undefined && { namespace }),
      labels: labelsOf(name),
      annotations: { [epochAnnotation]: String(epoch), [templateAnnotation]: templateOf(options) },
      // With a controller, or it could not be drained.
      ownerReferences: [{ apiVersion: "atrium.dev/v1alpha1", kind: "AtSign", name, uid, controller: true }],
    },
    spec: specOf(options, String(epoch)),
  };
  return pod;
}

/**
 * Says whether two pods differ in more than their epoch: what a change of must replace the pod. That of the roots need not,
 * since atServers that run learn of new ones when they renew their certificates.
 */
export function templateOf(options: Options): string {
  const site = { ...options.site, trust: "" };
  return createHash("sha256")
    .update(JSON.stringify(specOf({ ...options, site }, "")))
    .digest("hex")
    .slice(0, 16);
}

function specOf(options: Options, epoch: string) {
  const { imagePullSecrets, placement } = options.spec;
  return {
    restartPolicy: "OnFailure",
    enableServiceLinks: false,
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 10,
    ...(options.site.priorityClass !== undefined && { priorityClassName: options.site.priorityClass }),
    securityContext: {
      ...{ runAsNonRoot: true, runAsUser: user, runAsGroup: user, fsGroup: user },
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
    ...(imagePullSecrets.length > 0 && { imagePullSecrets }),
    ...(Object.keys(placement.nodeSelector).length > 0 && { nodeSelector: placement.nodeSelector }),
    ...(placement.tolerations.length > 0 && { tolerations: placement.tolerations }),
    containers: [containerOf(options, epoch)],
    volumes: [
      { name: "data", persistentVolumeClaim: { claimName: objectName(options.atSign.metadata.name, "data") } },
      {
        name: "identity",
        projected: {
          defaultMode: 0o440,
          sources: [{ serviceAccountToken: { audience: "atrium-identity", expirationSeconds: 3600, path: "token" } }],
        },
      },
    ],
  };
}

function containerOf(options: Options, epoch: string) {
  const { spec, site } = options;
  return {
    name: "atserver",
    image: spec.image ?? site.image,
    env: Object.entries(environmentOf(options, epoch)).map(([name, value]) => ({ name, value })),
    ports: [
      { name: "atproto", containerPort: port },
      { name: "health", containerPort: healthPort },
    ],
    resources: spec.resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    // A second or two after it is made it shall serve: it is asked each second.
    startupProbe: { httpGet: { path: "/livez", port: "health" }, periodSeconds: 1, failureThreshold: 120 },
    readinessProbe: {
      httpGet: { path: "/readyz", port: "health" },
      periodSeconds: 1,
      timeoutSeconds: 2,
      failureThreshold: 3,
    },
    livenessProbe: {
      httpGet: { path: "/livez", port: "health" },
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 6,
    },
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    volumeMounts: [
      { name: "data", mountPath: "/data" },
      { name: "identity", mountPath: "/var/run/secrets/atrium", readOnly: true },
    ],
  };
}

function environmentOf({ atSign, spec, host, site }: Options, epoch: string): Readonly<Record<string, string>> {
  return {
    ATSERVER_ATSIGN: atSign.spec.atSign,
    ATSERVER_HOST: host,
    ATSERVER_PORT: String(site.gatewayPort),
    ATSERVER_DATA: "/data",
    ATSERVER_EPOCH: epoch,
    ATSERVER_IDENTITY: site.identityUrl,
    ATSERVER_IDENTITY_TOKEN: "/var/run/secrets/atrium/token",
    ATSERVER_PLATFORM_CA: site.trust,
    ATSERVER_ZONES: `${site.zone}=${formatAddress(site.internalGateway)}`,
    ATSERVER_DIRECTORY: formatAddress(site.directory),
    ATSERVER_EXIT_REPORT: "/dev/termination-log",
    ATSERVER_LISTEN: `0.0.0.0:${port}`,
    ATSERVER_HEALTH_LISTEN: `0.0.0.0:${healthPort}`,
    ATSERVER_MAX_CONNECTIONS: String(spec.limits.connections),
    ATSERVER_MAX_LINE_BYTES: String(spec.limits.lineBytes),
    ...(site.privateAddresses !== undefined && { ATSERVER_PRIVATE_ADDRESSES: site.privateAddresses }),
    ...(site.otlpEndpoint !== undefined && {
      OTEL_EXPORTER_OTLP_ENDPOINT: site.otlpEndpoint,
      OTEL_SERVICE_NAME: "atrium-atserver",
    }),
  };
}
