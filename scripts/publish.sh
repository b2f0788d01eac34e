#!/usr/bin/env bash
# artifacts/: ebpf-cni-agent, ebpf-cni (the plugin) and ecni (the command line; also under kubectl's names for a plugin) as native binaries,
# bpf/*.bpf.o, deploy/ (the rendered chart), and sandbox/ (needs the .NET runtime).
# Skips what is newer than its sources, so that `make test` and `make demo` do not link twice.
set -euo pipefail
cd "$(dirname "$0")/.."
rid=${RID:-linux-x64}
out=artifacts
mkdir -p "$out/bpf"

newest() { find "$@" -type f -not -path '*/bin/*' -not -path '*/obj/*' -printf '%T@\n' 2>/dev/null | sort -n | tail -n 1; }
fresh() { # fresh <product> <sources...>: the product exists and is newer than every source
	[ -e "$1" ] || return 1
	local product
	product=$(stat -c %Y "$1")
	shift
	awk -v p="$product" -v s="$(newest "$@" Directory.Build.props Directory.Build.targets Directory.Packages.props)" 'BEGIN { exit !(p > s) }'
}
native() { # native <project> <binary>
	local dir=build/publish/$1
	echo "publishing $2 (native, $rid)"
	dotnet publish "src/$1" -c Release -r "$rid" -o "$dir" -v quiet --nologo ${VERSION:+-p:VersionPrefix="$VERSION"} ${REVISION:+-p:SourceRevisionId="$REVISION"}
	install -m 0755 "$dir/$2" "$out/.$2.new"
	mv "$out/.$2.new" "$out/$2"
}

library=(src/Ebpf.Cni.Abi src/Ebpf.Cni.Compiler src/Ebpf.Cni.Kernel src/Ebpf.Cni.Dataplane src/Ebpf.Cni.Kubernetes src/Ebpf.Cni.Pods src/Ebpf.Cni.Sync)
protocol=src/Ebpf.Cni.Protocol
fresh "$out/ebpf-cni" src/Ebpf.Cni.Plugin "$protocol" || native Ebpf.Cni.Plugin ebpf-cni
fresh "$out/ecni" src/Ebpf.Cni.Cli "$protocol" || native Ebpf.Cni.Cli ecni
# the names by which kubectl finds a plugin, and asks it for completions: the program goes by the name that it is started by
for name in kubectl-ecni kubectl_complete-ecni; do ln -sfn ecni "$out/$name"; done
fresh "$out/ebpf-cni-agent" src/Ebpf.Cni.Agent "$protocol" "${library[@]}" || native Ebpf.Cni.Agent ebpf-cni-agent
if ! fresh "$out/sandbox/ebpf-cni-sandbox.dll" src/Ebpf.Cni.Sandbox src/Ebpf.Cni.Kernel; then
	echo "publishing ebpf-cni-sandbox"
	dotnet publish src/Ebpf.Cni.Sandbox -c Release -o "$out/sandbox" -v quiet --nologo
	touch "$out/sandbox/ebpf-cni-sandbox.dll"
fi
cp build/bpf/*.bpf.o "$out/bpf/"
mkdir -p "$out/deploy"
cp deploy/*.yaml "$out/deploy/"
