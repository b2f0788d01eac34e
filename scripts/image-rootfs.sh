#!/usr/bin/env bash
# build/image/rootfs: the image's root file system, from artifacts/ and this machine's libraries (Debian's, or another's with the same layout). The
# Dockerfile runs this very script; whoever has no container engine gets the same files by `make image-rootfs`.
# No shell, no package manager, no compiler: what is below is all there is.
set -euo pipefail
cd "$(dirname "$0")/.."
artifacts=${ARTIFACTS:-artifacts}
out=${OUT:-build/image/rootfs}

fail() {
	echo "image-rootfs: $*" >&2
	exit 1
}

case $(uname -m) in
x86_64) multiarch=x86_64-linux-gnu ;;
aarch64) multiarch=aarch64-linux-gnu ;;
*) fail "there is no image for $(uname -m)" ;;
esac

binaries=(ebpf-cni-agent ebpf-cni)
{ [ -d src/Ebpf.Cni.Cli ] || [ -e "$artifacts/ecni" ]; } && binaries+=(ecni)
for name in "${binaries[@]}"; do
	[ -x "$artifacts/$name" ] || fail "$artifacts/$name is missing: run make publish"
done
for name in socket pod uplink overlay; do
	[ -e "$artifacts/bpf/$name.bpf.o" ] || fail "$artifacts/bpf/$name.bpf.o is missing: run make publish"
done
[ -e /etc/ssl/certs/ca-certificates.crt ] || fail "/etc/ssl/certs/ca-certificates.crt is missing: install ca-certificates"

rm -rf "$out"
libraries=$out/usr/lib/$multiarch
mkdir -p "$out"/{opt/ebpf-cni/bpf,opt/cni/bin,usr/bin,usr/share/doc/ebpf-cni,usr/lib/ssl,etc/ssl/certs,etc/cni/net.d,run,var/lib,tmp,proc,sys,dev} "$libraries"
chmod 1777 "$out/tmp"
ln -s usr/lib "$out/lib"
ln -s ../run "$out/var/run" # network namespaces are given by this name, too

# Ours.
for name in "${binaries[@]}"; do
	install -m 0755 "$artifacts/$name" "$out/opt/ebpf-cni/$name"
done
for name in socket pod uplink overlay; do
	install -m 0644 "$artifacts/bpf/$name.bpf.o" "$out/opt/ebpf-cni/bpf/"
done
if [ -e "$out/opt/ebpf-cni/ecni" ]; then
	ln -s /opt/ebpf-cni/ecni "$out/usr/bin/ecni"
	# kubectl's names for a plugin, for machines to which it is copied
	ln -s ecni "$out/opt/ebpf-cni/kubectl-ecni"
	ln -s ecni "$out/opt/ebpf-cni/kubectl_complete-ecni"
fi
install -m 0644 LICENSE "$out/usr/share/doc/ebpf-cni/"
install -m 0644 bpf/LICENSE "$out/usr/share/doc/ebpf-cni/LICENSE.bpf"

# Libraries: those that the binaries name, and those that they ask for by name at run time: libbpf; OpenSSL, for the API's TLS; libgcc, by which the C library
# ends threads. The C library looks names up by itself (files, dns) since 2.34.
packages=()
keep() { # keep <path as the linker has it>: the file under that name, and its package's licence
	local name=${1##*/} real package
	real=$(readlink -f "$1")
	[ -e "$libraries/$name" ] || install -m 0644 "$real" "$libraries/$name"
	package=$(dpkg-query -S "$real" "${real#/usr}" 2>/dev/null | head -n 1 | cut -d: -f1) || true
	[ -n "$package" ] || fail "no package owns $real: its licence is not known"
	packages+=("$package")
}
find_library() {
	local path
	path=$(ldconfig -p | awk -v n="$1" -v m="$multiarch" '$1 == n && index($NF, m) { print $NF; exit }')
	[ -n "$path" ] || fail "$1 is missing: install $2"
	echo "$path"
}
named=("$(find_library libbpf.so.1 libbpf1)" "$(find_library libssl.so.3 libssl3)" "$(find_library libcrypto.so.3 libssl3)" "$(find_library libgcc_s.so.1 libgcc-s1)")
mapfile -t linked < <(for name in "${binaries[@]}"; do ldd "$artifacts/$name"; done | awk '$2 == "=>" { print $3 }' | sort -u)
mapfile -t further < <(for path in "${named[@]}"; do ldd "$path"; done | awk '$2 == "=>" { print $3 }' | sort -u)
for path in "${named[@]}" "${linked[@]}" "${further[@]}"; do
	[ -e "$path" ] || fail "a library is missing: ldd says '$path'"
	keep "$path"
done

# The dynamic linker, at the place that is written into every binary.
interpreter=$(ldd "$artifacts/ebpf-cni-agent" | awk '$1 ~ /^\/lib.*\/ld-linux/ { print $1 }')
[ -n "$interpreter" ] || fail "the agent has no dynamic linker"
if [ "${interpreter%/*}" = /lib64 ]; then
	mkdir -p "$out/usr/lib64"
	ln -s usr/lib64 "$out/lib64"
fi
install -m 0755 "$(readlink -f "$interpreter")" "$out/usr$interpreter"

# What the libraries look for.
install -m 0644 /etc/ssl/certs/ca-certificates.crt "$out/etc/ssl/certs/"
ln -s /etc/ssl/certs "$out/usr/lib/ssl/certs"
packages+=(ca-certificates)
printf 'root:x:0:0:root:/:/nonexistent\nnobody:x:65534:65534:nobody:/:/nonexistent\n' >"$out/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$out/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$out/etc/nsswitch.conf"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$out/etc/hosts"

for package in $(printf '%s\n' "${packages[@]}" | sort -u); do
	licence=$(readlink -f "/usr/share/doc/$package/copyright")
	[ -e "$licence" ] || fail "$licence is missing: packages' licences belong into the image"
	install -D -m 0644 "$licence" "$out/usr/share/doc/$package/copyright"
done

# The same input gives the same files, with the time of the source.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
find "$out" -exec touch --no-dereference --date="@$epoch" {} +
echo "$out: $(du -sh --apparent-size "$out" | cut -f1) in $(find "$out" -type f | wc -l) files"
