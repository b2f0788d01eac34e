#!/usr/bin/env bash
# deploy/*.yaml from the chart: what `kubectl apply -f` takes where there is no helm. Tests keep them equal to it.
set -euo pipefail
cd "$(dirname "$0")/.."
helm=$(scripts/helm.sh)
"$helm" lint --strict charts/ebpf-cni >/dev/null || "$helm" lint --strict charts/ebpf-cni
render() { # render <file> <what it is> <helm's arguments...>
	local file=deploy/$1 what=$2
	shift 2
	{
		echo "# $what: charts/ebpf-cni rendered by scripts/chart.sh; edit that, not this."
		echo "# For Kubernetes 1.30 and newer, in the namespace kube-system."
		"$helm" template ebpf-cni charts/ebpf-cni --namespace kube-system --kube-version 1.30.0 --no-hooks "$@"
	} >"$file.new"
	mv "$file.new" "$file"
	echo "$file"
}
mkdir -p deploy
render ebpf-cni.yaml "Pods' network and Services"
render ebpf-cni-chained.yaml "Services alone, behind another CNI plugin" --set profile=chained
render ebpf-cni-cleanup.yaml "Takes ebpf-cni off the nodes again, before it is deleted" --set cleanup.enabled=true
