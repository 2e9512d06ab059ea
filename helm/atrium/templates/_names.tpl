{{/* Labels of everything. Call with (dict "root" $ "component" "gateway"). */}}
{{- define "atrium.labels" -}}
{{ include "atrium.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: atrium
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that select the pods of one part; never changed, because Deployments cannot change theirs. Pods have no other ones, so that an upgrade restarts what changed and nothing else. */}}
{{- define "atrium.selector" -}}
app.kubernetes.io/name: atrium
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Name of an image of ours. Call with (dict "root" $ "part" "gateway"). */}}
{{- define "atrium.image" -}}
{{- $images := .root.Values.images -}}
{{- $name := printf "%s/atrium-%s" $images.registry .part -}}
{{- with get $images.digests .part -}}
{{ $name }}@{{ . }}
{{- else -}}
{{ $name }}:{{ $images.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* `atrium-directory.<namespace>.svc`. Call with (dict "root" $ "name" "atrium-directory"). */}}
{{- define "atrium.serviceHost" -}}
{{ .name }}.{{ .root.Release.Namespace }}.svc
{{- end }}

{{/* Names in the certificate of the public directory, with commas. */}}
{{- define "atrium.directoryHosts" -}}
{{- $own := include "atrium.serviceHost" (dict "root" . "name" "atrium-directory") -}}
{{- append .Values.directory.hosts $own | uniq | join "," -}}
{{- end }}

{{/* The Secret with the password of Redis. */}}
{{- define "atrium.redisSecret" -}}
{{ .Values.redis.passwordSecret.name | default "atrium-redis" }}
{{- end }}

{{/* What the schema cannot say. */}}
{{- define "atrium.check" -}}
{{- $zone := .Values.zone -}}
{{- range .Values.directory.hosts -}}
{{- if or (eq . $zone) (hasSuffix (printf ".%s" $zone) .) -}}
{{- fail (printf "directory.hosts: %s lies under the zone %s, whose names are those of Atsigns" . $zone) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.redis.externalUrl (not .Values.redis.passwordSecret.name) -}}
{{- fail "redis.passwordSecret.name must be given with redis.externalUrl: a Redis without a password is open to the whole cluster" -}}
{{- end -}}
{{- if and .Values.directory.tlsSecret (hasPrefix "atrium-" .Values.directory.tlsSecret) -}}
{{- fail "directory.tlsSecret: names that begin with atrium- are the platform's own" -}}
{{- end -}}
{{- end }}

{{- define "atrium.redisUrl" -}}
{{ .Values.redis.externalUrl | default (printf "redis://%s:6379" (include "atrium.serviceHost" (dict "root" . "name" "atrium-redis"))) }}
{{- end }}
