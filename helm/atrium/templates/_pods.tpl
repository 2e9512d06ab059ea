{{/* What the pods of all Deployments have in common. Call with (dict "root" $ "component" "gateway" "values" .Values.gateway). */}}
{{- define "atrium.podSpec" -}}
serviceAccountName: atrium-{{ .component }}
automountServiceAccountToken: {{ eq .component "operator" }}
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .root.Values.priorityClasses.create }}
priorityClassName: atrium-platform
{{- end }}
securityContext:
  {{- include "atrium.podSecurity" . | nindent 2 }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Replicas on different nodes and in different zones where there are such. */}}
{{- define "atrium.spread" -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  # Of one version only, so that replicas of the version before do not count during an upgrade.
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels:
      {{- include "atrium.selector" $ | nindent 6 }}
{{- end }}
{{- end }}

{{- define "atrium.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "atrium.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "atrium.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: health }
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: health }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /livez, port: health }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{/* Environment for traces, when they are wanted. Call with (dict "root" $ "service" "atrium-gateway"). */}}
{{- define "atrium.tracingEnv" -}}
{{- with .root.Values.tracing.otlpEndpoint }}
- { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }} }
- { name: OTEL_SERVICE_NAME, value: {{ $.service }} }
{{- end }}
{{- end }}

{{/* A Service for the world. Call with (dict "root" $ "service" .Values.gateway.service). */}}
{{- define "atrium.publicService" -}}
{{- $service := .service -}}
type: {{ $service.type }}
{{- if or (ne $service.type "ClusterIP") $service.externalIPs }}
externalTrafficPolicy: {{ $service.externalTrafficPolicy }}
{{- end }}
{{- if eq $service.type "LoadBalancer" }}
{{- with $service.loadBalancerClass }}
loadBalancerClass: {{ . }}
{{- end }}
{{- with $service.loadBalancerSourceRanges }}
loadBalancerSourceRanges: {{ toJson . }}
{{- end }}
{{- end }}
{{- with $service.externalIPs }}
externalIPs: {{ toJson . }}
{{- end }}
{{- end }}
