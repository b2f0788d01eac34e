#!/usr/bin/env bash
# Runs the test executables one after the other (they share one kernel), adds their results up, and looks for what they left behind.
# usage: test.sh [Project...]   (Abi, Compiler, Kernel ...; all of them by default)
set -uo pipefail
cd "$(dirname "$0")/.."
configuration=${CONFIGURATION:-Release}
order=(Architecture Abi Chart Compiler Kubernetes Plugin Cli Kernel Bpf Dataplane Pods Sync Agent Sandbox EndToEnd)
projects=("${@:-${order[@]}}")
flags=(-noColor -noLogo -longRunning 120)
[ "${CI:-}" = true ] && flags+=(-failSkips)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
scripts/leftovers.sh | sort >"$scratch/before"

passed=0 failed=0 skipped=0
for project in "${projects[@]}"; do
	name=Ebpf.Cni.$project.Tests
	started=$SECONDS
	dotnet "tests/$name/bin/$configuration/net10.0/$name.dll" "${flags[@]}" >"$scratch/$name.log" 2>&1
	code=$?
	summary=$(grep -E "^ *$name +Total: " "$scratch/$name.log" | tail -n 1)
	read -r total errors fails skips < <(sed -E 's/.*Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+).*/\1 \2 \3 \4/' <<<"${summary:-}") || true
	if [ -z "$summary" ]; then
		total=0 errors=1 fails=0 skips=0
	fi
	[ $code -ne 0 ] && [ $((errors + fails)) -eq 0 ] && errors=1
	bad=$((errors + fails))
	good=$((total - fails - skips))
	[ $good -lt 0 ] && good=0
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skips))
	printf '%-32s %5d passed %3d failed %3d skipped  %4d s\n' "$name" "$good" "$bad" "$skips" $((SECONDS - started))
	if [ $bad -gt 0 ] || [ "${VERBOSE:-}" = 1 ]; then
		sed 's/^/    /' "$scratch/$name.log" | tail -n 400
		# From a test's name on: said again at the end, where they are looked for. The name, and what is wrong.
		awk '/\[FAIL\]$/ { on = 12 } /\[(SKIP|PASS)\]$/ || /^[^ ]/ { on = 0 } on-- > 0' "$scratch/$name.log" | cut -c 1-300 >>"$scratch/failed"
	else
		seeds=$(grep -oE '^ *seed [0-9]+' "$scratch/$name.log" | awk '{ print $2 }' | tr '\n' ' ')
		[ -n "$seeds" ] && echo "    seeds: $seeds(repeat one with EBPF_CNI_SEED=...)"
		grep -E '^ *(figure|scenario|matrix): ' "$scratch/$name.log" | sort -u | sed -E 's/^ */    /'
		grep -A1 -E '\[SKIP\]' "$scratch/$name.log" | grep -v -e '^--' | sed 's/^ */    /'
	fi
done

# The kernel frees maps and namespaces a little after their last user is gone.
left=
for _ in $(seq 100); do
	left=$(scripts/leftovers.sh | sort | comm -13 "$scratch/before" -)
	[ -z "$left" ] && break
	read -rt 0.1 <> <(:) || true
done
if [ -n "$left" ]; then
	echo "left behind by the tests:"
	sed 's/^/    /' <<<"$left"
	failed=$((failed + 1))
fi

if [ -s "$scratch/failed" ]; then
	echo
	echo "failed:"
	head -n 200 "$scratch/failed"
fi
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $((passed)) -gt 0 ] && { [ "${CI:-}" != true ] || [ $skipped -eq 0 ]; }
