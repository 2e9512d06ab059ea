import type { ControlPlane } from "../../cluster/control-plane.ts";

interface Range {
  readonly kvs?: readonly { readonly key: string; readonly value: string }[];
}

const pageSize = 500;

/** What etcd holds of one kind of object: keys and values of their present versions. @returns bytes */
export async function storedBytes({ etcdUrl }: Pick<ControlPlane, "etcdUrl">, prefix: string): Promise<number> {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  let bytes = 0;
  for (let from = Buffer.from(prefix); ; ) {
    const body = { key: from.toString("base64"), range_end: end.toString("base64"), limit: pageSize };
    const answer = await fetch(`${etcdUrl}/v3/kv/range`, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd: ${await answer.text()}`);
    const { kvs = [] } = (await answer.json()) as Range;
    for (const { key, value } of kvs) bytes += Buffer.byteLength(key, "base64") + Buffer.byteLength(value, "base64");
    const last = kvs.at(-1);
    if (last === undefined || kvs.length < pageSize) return bytes;
    from = Buffer.concat([Buffer.from(last.key, "base64"), Buffer.from([0])]);
  }
}
