#!/usr/bin/env bash
# Prints what tests and demo could leave behind, one item a line, sorted: run it before and after, and compare.
set -u
ls /run/netns 2>/dev/null | sed 's/^/namespace /'
ip -o link 2>/dev/null | awk -F': ' '{ sub(/@.*/, "", $2); print "link " $2 }'
find /sys/fs/bpf -mindepth 1 -maxdepth 2 -not -name '*.debug' 2>/dev/null | sed 's/^/pin /' # *.debug: the kernel's own, there from the mount on
find /sys/fs/cgroup -maxdepth 3 -type d -name '*ebpf-cni*' 2>/dev/null | sed 's/^/cgroup /'
pgrep -af '(^|/)ebpf-cni' 2>/dev/null | sed 's/^[0-9]* /process /'
if [ "$(id -u)" = 0 ] && command -v bpftool >/dev/null; then
	bpftool link 2>/dev/null | grep -E '^[0-9]+:' | sed -E 's/^([0-9]+): ([a-z_]+).*/bpf-link \2 \1/'
	bpftool map 2>/dev/null | grep -E '^[0-9]+:.* name ebc_' | sed -E 's/^([0-9]+):.* name ([^ ]+).*/bpf-map \2 \1/'
	bpftool prog 2>/dev/null | grep -E '^[0-9]+:.* name ebc_' | sed -E 's/^([0-9]+):.* name ([^ ]+).*/bpf-program \2 \1/'
fi
