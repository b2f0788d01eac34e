#!/usr/bin/env bash
# Boots another kernel (Debian's cloud kernel; PACKAGE=..., or SUITE=bullseye for an older release's) in an emulator, without network or disk, and has it verify every BPF
# program in every configuration. Exits non-zero if it refuses one. Needs make bpf before; installs what is missing as deps.sh does.
set -euo pipefail
cd "$(dirname "$0")/.."

package=${PACKAGE:-linux-image-cloud-amd64}
limit=${LIMIT_SECONDS:-900}
[ "$(uname -m)" = x86_64 ] || { echo "kernel-check emulates x86_64 machines only, with programs of this machine" >&2; exit 2; }

packages=()
need() { command -v "$2" >/dev/null || packages+=("$1"); }
need qemu-system-x86 qemu-system-x86_64
need busybox-static busybox
need cpio cpio
need gcc gcc
[ -e /usr/include/bpf/libbpf.h ] || packages+=(libbpf-dev)
if [ ${#packages[@]} -gt 0 ]; then
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "missing: ${packages[*]} (Debian's names)" >&2; exit 2; }
	echo "installing ${packages[*]} with apt-get"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Lists of another release are fetched to the side: this machine's stay as they are.
apt=(-o APT::Sandbox::User=root)
if [ -n "${SUITE:-}" ]; then
	mirror=$(apt-get indextargets --format '$(REPO_URI)' | sed '/security/d; /^file/d' | sort -u | head -n 1)
	mkdir -p "$scratch"/apt/{state/lists,cache/archives}/partial
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $SUITE main" >"$scratch/apt/list"
	apt+=(-o Dir::State="$scratch/apt/state" -o Dir::Cache="$scratch/apt/cache" -o Dir::Etc::SourceList="$scratch/apt/list" -o Dir::Etc::SourceParts=/dev/null)
	apt-get "${apt[@]}" update -qq
fi

# The kernel is only unpacked: installing it would touch this machine's boot files.
real=$(apt-cache "${apt[@]}" depends "$package" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
(cd "$scratch" && apt-get "${apt[@]}" download -qq "${real:-$package}" && dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards './boot/vmlinuz-*')
kernel=$(echo "$scratch"/boot/vmlinuz-*)

root=$scratch/root
mkdir -p "$root"/{bin,bpf,dev,proc,sys}
cp "$(command -v busybox)" "$root/bin/busybox"
cp build/bpf/*.bpf.o "$root/bpf/"
gcc -O1 -Wall -Wextra -o "$root/bin/kernel-check" scripts/kernel-check.c -lbpf
{ ldd "$root/bin/kernel-check"; ldd "$root/bin/busybox" || true; } 2>/dev/null | grep -o '/[^ ]*' | sort -u | while read -r library; do
	install -D "$library" "$root$library"
done
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t bpf bpf /sys/fs/bpf
$b mount -t cgroup2 cgroup /sys/fs/cgroup
echo "kernel $($b uname -r)"
/bin/kernel-check /sys/fs/cgroup /bpf/*.bpf.o 2>&1
echo "kernel-check ends with $?"
$b poweroff -f
INIT
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$scratch/initrd.gz"

log=$scratch/log
timeout "$limit" qemu-system-x86_64 -accel tcg -cpu max -m 1024 -nic none -display none -serial stdio -monitor none -no-reboot \
	-kernel "$kernel" -initrd "$scratch/initrd.gz" -append "console=ttyS0 quiet panic=-1" </dev/null >"$log" 2>&1 || true
tr -d '\r' <"$log" >"$log.txt"
sed -n '/^kernel [0-9]/,/^kernel-check ends/p' "$log.txt" | grep -v '^kernel-check ends' || true
result=$(sed -n 's/^kernel-check ends with \([0-9]*\).*/\1/p' "$log.txt")
if [ "$result" != 0 ]; then
	[ -n "$result" ] || { echo "no verdict within $limit s; the machine's last lines:"; tail -n 30 "$log.txt"; }
	exit 1
fi
