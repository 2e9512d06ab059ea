interface Shown {
  readonly id?: string;
  readonly from?: string;
  readonly to?: string;
  readonly key: string;
  /** JSON */
  readonly value?: string;
  readonly operation?: string;
  readonly type?: string;
  readonly isEncrypted?: boolean;
}

/** A notification as a monitor has it; from @bob to @alice, an update to "1", unless it is another. */
export function pushed({ id = "<uuid>", from = "@bob", to = "@alice", key, value = '"1"', ...more }: Shown): string {
  const { operation = "update", type = "key", isEncrypted = true } = more;
  return `notification: {"id":"${id}","from":"${from}","to":"${to}","key":"${key}","value":${value},"operation":"${operation}","epochMillis":<ms>,"messageType":"MessageType.${type}","isEncrypted":${isEncrypted},"metadata":{<any>}}`;
}

/** The beginning of a notification, as far as its id. */
export function noted(id: string): string {
  return `notification: {"id":"${id}",<any>`;
}

/** What another atServer sends; it lives for 15 minutes. */
export function fromPeer(id: string, rest: string): readonly ["peer", string, "data:success"] {
  return ["peer", `notify:id:${id}:update:ttln:900000:${rest}`, "data:success"];
}
