{{/* What the agent is told, and what of it the pod has to know. */}}

{{/*
The agent's options: the values, and what the chart fixes because it decides where things are in the container. Directories of the node
that the agent names in messages, or hands to others, have the same path in the container.
*/}}
{{- define "ebpf-cni.agentConfig" -}}
{{- $fixed := dict
    "cniMode" .Values.profile
    "bpffsRoot" "/sys/fs/bpf/ebpf-cni"
    "cgroupRoot" "auto"
    "sysctlRoot" "/host/proc/sys/net"
    "stateDir" .Values.hostPaths.state
    "runDir" .Values.hostPaths.run
    "cniConfDir" .Values.hostPaths.cniConf
    "cniBinDir" .Values.hostPaths.cniBin
-}}
{{- $agent := omit .Values.agent "addressRest" -}}
{{- /* the former name, until the next release; where both are given, the new one counts (60 is its default) */ -}}
{{- if and (hasKey .Values.agent "addressRest") (eq (int .Values.agent.ipReuseDelay) 60) -}}{{- $_ := set $agent "ipReuseDelay" .Values.agent.addressRest -}}{{- end -}}
{{- toPrettyJson (merge $fixed $agent) -}}
{{- end -}}

{{- define "ebpf-cni.port" -}}
{{- regexFind "[0-9]+$" . -}}
{{- end -}}

{{/* The address without its port. */}}
{{- define "ebpf-cni.host" -}}
{{- regexReplaceAll ":[0-9]+$" . "" | trimPrefix "[" | trimSuffix "]" -}}
{{- end -}}

{{/* Where the kubelet, which is on the same node, finds /readyz and /livez. */}}
{{- define "ebpf-cni.healthHost" -}}
{{- $host := include "ebpf-cni.host" .Values.agent.healthzAddress -}}
{{- if or (eq $host "0.0.0.0") (eq $host "::") -}}127.0.0.1{{- else -}}{{- $host -}}{{- end -}}
{{- end -}}

{{/* One probe. (dict "root" $ "path" "/readyz" "times" .Values.probes.readiness) */}}
{{- define "ebpf-cni.probe" -}}
httpGet:
  host: {{ include "ebpf-cni.healthHost" .root | quote }}
  path: {{ .path }}
  port: {{ include "ebpf-cni.port" .root.Values.agent.healthzAddress }}
periodSeconds: {{ .times.periodSeconds }}
timeoutSeconds: {{ .times.timeoutSeconds }}
failureThreshold: {{ .times.failureThreshold }}
{{- end -}}

{{/* Of the init container, which mounts on the node and installs the plugin there. */}}
{{- define "ebpf-cni.prepareCapabilities" -}}
SYS_ADMIN SYS_CHROOT SYS_PTRACE{{ if .Values.capabilities.dacOverride }} DAC_OVERRIDE{{ end }}
{{- end -}}

{{/* Of the agent. Without the prefix CAP_: the API server's validation compares with that spelling. SYS_ADMIN stands for BPF and PERFMON too, and nothing less lets it into pods' namespaces. */}}
{{- define "ebpf-cni.capabilities" -}}
NET_ADMIN SYS_ADMIN{{ if .Values.capabilities.sysResource }} SYS_RESOURCE{{ end }}{{ if .Values.capabilities.dacOverride }} DAC_OVERRIDE{{ end }}
{{- end -}}

{{/* What is the same for both containers. (dict "root" $ "capabilities" (list ...)) */}}
{{- define "ebpf-cni.securityContext" -}}
runAsUser: 0
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
{{- if semverCompare ">=1.30.0-0" .root.Capabilities.KubeVersion.Version }}
appArmorProfile:
  type: Unconfined
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- with .root.Values.seLinuxOptions }}
seLinuxOptions:
  {{- toYaml . | nindent 2 }}
{{- end }}
capabilities:
  drop: [ALL]
  add: {{ toJson .capabilities }}
{{- end -}}

{{/* The node's name, and the API server's address where it is not to be looked for at the kubernetes Service. */}}
{{- define "ebpf-cni.env" -}}
- name: EBPF_CNI_NODE_NAME
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
{{- if .Values.apiServer.host }}
- name: KUBERNETES_SERVICE_HOST
  value: {{ .Values.apiServer.host | quote }}
- name: KUBERNETES_SERVICE_PORT
  value: {{ .Values.apiServer.port | quote }}
{{- end }}
{{- if ne .Values.hostPaths.run "/run/ebpf-cni" }}
# for ecni, which does not read the agent's configuration
- name: EBPF_CNI_RUN_DIR
  value: {{ .Values.hostPaths.run }}
{{- end }}
{{- end -}}

{{/* A changed configuration restarts the agents, one after the other; AppArmor has a field since 1.30. What the chart has to say wins. */}}
{{- define "ebpf-cni.podAnnotations" -}}
{{- $own := dict "checksum/config" (include "ebpf-cni.agentConfig" . | sha256sum) -}}
{{- if not (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) -}}
{{- range ternary (list "cleanup" "stay") (list "prepare" "agent") .Values.cleanup.enabled -}}
{{- $_ := set $own (printf "container.apparmor.security.beta.kubernetes.io/%s" .) "unconfined" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.metrics.scrapeAnnotations (not .Values.cleanup.enabled) -}}
{{- $_ := set $own "prometheus.io/scrape" "true" -}}
{{- $_ := set $own "prometheus.io/port" (include "ebpf-cni.port" .Values.agent.metricsAddress) -}}
{{- $_ := set $own "prometheus.io/path" "/metrics" -}}
{{- end -}}
{{- toYaml (merge $own .Values.podAnnotations) -}}
{{- end -}}

{{/* Mistakes that only several values together make. */}}
{{- define "ebpf-cni.check" -}}
{{- $metrics := .Values.agent.metricsAddress -}}
{{- if regexMatch "^(127\\.|\\[::1\\])" $metrics -}}
{{- range $name, $on := dict "metrics.podMonitor.enabled" .Values.metrics.podMonitor.enabled "metrics.scrapeAnnotations" .Values.metrics.scrapeAnnotations -}}
{{- if $on -}}
{{- fail (printf "agent.metricsAddress: %s is reached from the node alone, and %s is true: set an address that Prometheus reaches, such as 0.0.0.0:10249" $metrics $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq (include "ebpf-cni.port" $metrics) (include "ebpf-cni.port" .Values.agent.healthzAddress) -}}
{{- fail (printf "agent.metricsAddress, agent.healthzAddress: both have the port %s" (include "ebpf-cni.port" $metrics)) -}}
{{- end -}}
{{- end -}}
