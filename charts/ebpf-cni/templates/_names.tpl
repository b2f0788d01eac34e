{{/* Names and labels. */}}

{{- define "ebpf-cni.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name says it already where it holds the chart's. */}}
{{- define "ebpf-cni.fullname" -}}
{{- $name := include "ebpf-cni.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What the DaemonSet finds its pods by: never to change within a release. */}}
{{- define "ebpf-cni.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ebpf-cni.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Of one object: (list $ .Values.podLabels). The schema keeps the chart's own out of the values. */}}
{{- define "ebpf-cni.labelsWith" -}}
{{- $root := index . 0 -}}
{{ include "ebpf-cni.selectorLabels" $root }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with merge (dict) (index . 1) $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "ebpf-cni.labels" -}}
{{ include "ebpf-cni.labelsWith" (list . dict) }}
{{- end -}}

{{- define "ebpf-cni.serviceAccountName" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "ebpf-cni.fullname" . -}}
{{- else -}}
{{- fail "serviceAccount.name: is required where serviceAccount.create is false" -}}
{{- end -}}
{{- end -}}

{{- define "ebpf-cni.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag | toString) -}}
{{- end -}}
{{- end -}}
