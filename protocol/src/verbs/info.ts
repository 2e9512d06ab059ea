import { syntax } from "../syntax.ts";

const forms = ["brief", "mtls", "mtlsbrief"] as const;

interface InfoParams {
  /** without it: version and uptime; `brief` is the same, shorter; the others tell of the certificate shown to peers */
  readonly form?: (typeof forms)[number];
}

/** `info[:brief|:mtls|:mtlsbrief]` — what this atServer is. */
export const info = syntax<InfoParams>({
  verb: "info",
  usage: "info[:brief|:mtls|:mtlsbrief]",
  pattern: /^info(?::(?<form>brief|mtls|mtlsbrief))?$/i,
  parse({ form }) {
    const known = forms.find((each) => each === form?.toLowerCase());
    return known === undefined ? {} : { form: known };
  },
  format: ({ form }) => (form === undefined ? "info" : `info:${form}`),
});
