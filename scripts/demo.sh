#!/usr/bin/env bash
# The demo: needs root, because it loads BPF programs and makes network namespaces.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
	echo "the demo makes network namespaces and loads BPF programs: run it as root" >&2
	exit 1
fi
exec artifacts/sandbox/ebpf-cni-sandbox demo --artifacts artifacts --manifest examples/hello.yaml "$@"
