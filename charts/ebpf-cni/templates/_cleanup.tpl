{{/* cleanup.enabled: pods that clean their node up, in the place of the agents. */}}

{{/*
It enters the node's network and mount namespaces, and has there what an agent has: devices, programs, settings.
*/}}
{{- define "ebpf-cni.cleanupCapabilities" -}}
NET_ADMIN SYS_ADMIN SYS_CHROOT SYS_PTRACE{{ if .Values.capabilities.dacOverride }} DAC_OVERRIDE{{ end }}
{{- end -}}

{{/* One container. (dict "root" $ "name" "cleanup" "switches" (list "--stay")) */}}
{{- define "ebpf-cni.cleanupContainer" -}}
{{- $root := .root -}}
{{- $force := ternary (list "--force") (list) $root.Values.cleanup.force -}}
- name: {{ .name }}
  image: {{ include "ebpf-cni.image" $root }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  command: [{{ concat (list "/opt/ebpf-cni/ebpf-cni-agent" "cleanup") $force .switches (list "--host-proc" "/host/proc" "--config" "/etc/ebpf-cni/agent.json") | join ", " }}]
  securityContext:
    {{- include "ebpf-cni.securityContext" (dict "root" $root "capabilities" (include "ebpf-cni.cleanupCapabilities" $root | splitList " ")) | nindent 4 }}
  {{- with $root.Values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    - name: config
      mountPath: /etc/ebpf-cni
      readOnly: true
    - name: host-proc
      mountPath: /host/proc
      readOnly: true
{{- end -}}

{{/*
The init container does the work, so that a pod that runs is a clean node (unless cleanup.force left files for pods without network); one
that failed or was refused is tried again. The other one is there because a DaemonSet's pod has to run: it does the same, which is nothing
by then, and stays.
*/}}
{{- define "ebpf-cni.cleanupPod" -}}
automountServiceAccountToken: false
initContainers:
  {{- include "ebpf-cni.cleanupContainer" (dict "root" . "name" "cleanup" "switches" list) | nindent 2 }}
containers:
  {{- include "ebpf-cni.cleanupContainer" (dict "root" . "name" "stay" "switches" (list "--stay")) | nindent 2 }}
volumes:
  - name: config
    configMap:
      name: {{ include "ebpf-cni.fullname" . }}
  - name: host-proc
    hostPath:
      path: /proc
      type: Directory
{{- end -}}
