{{/* Pods of one part, as a peer of a NetworkPolicy of this namespace. Call with (dict "root" $ "component" "gateway"). */}}
{{- define "atrium.peer" -}}
{{ dict "podSelector" (dict "matchLabels" (include "atrium.selector" . | fromYaml)) | toJson }}
{{- end }}

{{/* Networks as peers. Call with a list. */}}
{{- define "atrium.networks" -}}
{{- range . }}
- ipBlock: { cidr: {{ . | quote }} }
{{- end }}
{{- end }}

{{- define "atrium.tcpPorts" -}}
{{- range . }}
- { protocol: TCP, port: {{ . }} }
{{- end }}
{{- end }}

{{- define "atrium.dnsEgress" -}}
{{- $dns := .Values.networkPolicy.dns -}}
- to:
    {{- toYaml $dns.to | nindent 4 }}
  ports:
    {{- range $dns.ports }}
    - { protocol: UDP, port: {{ . }} }
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
{{- end }}

{{/* To where traces are collected, when they are. */}}
{{- define "atrium.tracingEgress" -}}
{{- with .Values.tracing.otlpEndpoint -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "https" | ternary "443" "80") -}}
{{- $host := regexReplaceAll ":[0-9]+$" $url.host "" -}}
- to:
    {{- if $.Values.tracing.to }}
    {{- toYaml $.Values.tracing.to | nindent 4 }}
    {{- else if regexMatch "^[a-z0-9-]+\\.[a-z0-9-]+\\.svc(\\.|$)" $host }}
    - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ index (splitList "." $host) 1 }} } }
    {{- else }}
    {{- include "atrium.publicNetworks" $ | nindent 4 }}
    {{- end }}
  ports: [{ port: {{ $port }}, protocol: TCP }]
{{- end }}
{{- end }}

{{- define "atrium.metricsIngress" -}}
{{- if .Values.serviceMonitor.enabled -}}
- from:
    {{- toYaml .Values.serviceMonitor.from | nindent 4 }}
  ports: [{ port: 9464 }]
{{- end }}
{{- end }}

{{/*
Everything but the cluster and what is private: RFC 1918, shared (RFC 6598), loopback, link-local with the clouds'
metadata, benchmarks, multicast and reserved; of IPv6 global unicast alone, without translations of IPv4 addresses.
*/}}
{{- define "atrium.publicNetworks" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except:
      - 0.0.0.0/8
      - 10.0.0.0/8
      - 100.64.0.0/10
      - 127.0.0.0/8
      - 169.254.0.0/16
      - 172.16.0.0/12
      - 192.0.0.0/24
      - 192.168.0.0/16
      - 198.18.0.0/15
      - 224.0.0.0/4
      - 240.0.0.0/4
      {{- range .Values.networkPolicy.clusterNetworks }}
      {{- if not (contains ":" .) }}
      - {{ . }}
      {{- end }}
      {{- end }}
- ipBlock:
    cidr: 2000::/3
    except:
      - 2001:db8::/32
      - 2002::/16
      {{- range .Values.networkPolicy.clusterNetworks }}
      {{- if contains ":" . }}
      - {{ . | quote }}
      {{- end }}
      {{- end }}
{{- end }}

{{/* Pods of one part, as a peer of a NetworkPolicy of another namespace. */}}
{{- define "atrium.platformPeer" -}}
{{- $pods := dict "matchLabels" (include "atrium.selector" . | fromYaml) -}}
{{- $namespace := dict "matchLabels" (dict "kubernetes.io/metadata.name" .root.Release.Namespace) -}}
{{ dict "namespaceSelector" $namespace "podSelector" $pods | toJson }}
{{- end }}

{{/* Spec of the policy for the atServers of one namespace. Who may say that a pod is one is in admission.yaml. */}}
{{- define "atrium.tenantNetworkPolicy" -}}
podSelector:
  matchExpressions: [{ key: atrium.dev/atsign, operator: Exists }]
policyTypes: [Ingress, Egress]
ingress:
  # Clients and other atServers, through the gateway; nobody else.
  - from: [{{ include "atrium.platformPeer" (dict "root" . "component" "gateway") }}]
    ports: [{ port: 6464, protocol: TCP }]
  {{- if .Values.serviceMonitor.enabled }}
  - from:
      {{- toYaml .Values.serviceMonitor.from | nindent 6 }}
    ports: [{ port: 9464, protocol: TCP }]
  {{- end }}
egress:
  {{- include "atrium.dnsEgress" . | nindent 2 }}
  {{- include "atrium.tracingEgress" . | nindent 2 }}
  - to: [{{ include "atrium.platformPeer" (dict "root" . "component" "operator") }}]
    ports: [{ port: 8443, protocol: TCP }]
  - to: [{{ include "atrium.platformPeer" (dict "root" . "component" "directory") }}]
    ports: [{ port: 6400, protocol: TCP }]
  - to: [{{ include "atrium.platformPeer" (dict "root" . "component" "gateway") }}]
    ports: [{ port: 6465, protocol: TCP }]
  # atServers and directories elsewhere, on any port.
  - to:
      {{- include "atrium.publicNetworks" . | nindent 6 }}
      {{- include "atrium.networks" .Values.operator.privateAddresses | nindent 6 }}
    ports: [{ protocol: TCP, port: 1, endPort: 65535 }]
{{- end }}
