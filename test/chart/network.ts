import { BlockList, isIPv6 } from "node:net";

/** What network policies say, without a network: an evaluator of `networking.k8s.io/v1` as its reference describes it. */

export interface Policy {
  readonly namespace: string;
  readonly spec: PolicySpec;
}

export interface PolicySpec {
  readonly podSelector: Selector;
  readonly policyTypes: readonly ("Ingress" | "Egress")[];
  readonly ingress?: readonly { readonly from?: readonly Peer[]; readonly ports?: readonly Port[] }[];
  readonly egress?: readonly { readonly to?: readonly Peer[]; readonly ports?: readonly Port[] }[];
}

interface Peer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

interface Port {
  readonly protocol?: string;
  readonly port?: number | string;
  readonly endPort?: number;
}

interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly { key: string; operator: string; values?: readonly string[] }[];
}

type Labels = Readonly<Record<string, string>>;

/** Somebody on the network; who is no pod has an address alone. */
export interface Party {
  readonly address: string;
  readonly pod?: { readonly namespace: string; readonly labels: Labels };
}

/** What a connection is made to. */
export interface Service {
  readonly protocol: "TCP" | "UDP";
  readonly port: number;
}

/**
 * Whether a connection may be made: the policies of who calls let it out, and those of who is called let it in. A pod that
 * no policy selects may everything.
 */
export function mayConnect(policies: readonly Policy[], from: Party, to: Party, service: Service): boolean {
  const out = selecting(policies, from, "Egress");
  const into = selecting(policies, to, "Ingress");
  const allows = (policy: Policy, peers: readonly Peer[] | undefined, ports: readonly Port[] | undefined, who: Party) =>
    (ports === undefined || ports.some((port) => isPort(port, service))) &&
    (peers === undefined || peers.some((peer) => isPeer(peer, who, policy.namespace)));
  return (
    (out.length === 0 || out.some((one) => one.spec.egress?.some((rule) => allows(one, rule.to, rule.ports, to)))) &&
    (into.length === 0 ||
      into.some((one) => one.spec.ingress?.some((rule) => allows(one, rule.from, rule.ports, from))))
  );
}

function selecting(policies: readonly Policy[], { pod }: Party, type: "Ingress" | "Egress"): readonly Policy[] {
  if (pod === undefined) return [];
  return policies.filter(
    ({ namespace, spec }) =>
      namespace === pod.namespace && spec.policyTypes.includes(type) && selects(spec.podSelector, pod.labels),
  );
}

/** By numbers alone: what a port is called depends on who is called. */
function isPort({ protocol = "TCP", port, endPort }: Port, service: Service): boolean {
  if (protocol !== service.protocol) return false;
  if (port === undefined) return true;
  if (typeof port === "string") throw new Error(`the policy names the port ${port}`);
  return service.port >= port && service.port <= (endPort ?? port);
}

function isPeer({ podSelector, namespaceSelector, ipBlock }: Peer, who: Party, ownNamespace: string): boolean {
  if (ipBlock !== undefined) return isIn([ipBlock.cidr], who.address) && !isIn(ipBlock.except ?? [], who.address);
  if (who.pod === undefined) return false;
  const { namespace, labels } = who.pod;
  const inNamespace =
    namespaceSelector === undefined
      ? namespace === ownNamespace
      : selects(namespaceSelector, { "kubernetes.io/metadata.name": namespace });
  return inNamespace && (podSelector === undefined || selects(podSelector, labels));
}

function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
        case "In":
          return value !== undefined && values.includes(value);
        case "NotIn":
          return value === undefined || !values.includes(value);
        default:
          throw new Error(`there is no operator ${operator}`);
      }
    })
  );
}

function isIn(networks: readonly string[], address: string): boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [base = "", bits] = network.split("/");
    list.addSubnet(base, Number(bits), isIPv6(base) ? "ipv6" : "ipv4");
  }
  return list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
