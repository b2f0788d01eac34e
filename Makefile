# One command each; `make help` lists them. Everything that is needed is installed by `make deps`, which the others call.
SHELL := /bin/bash
.DEFAULT_GOAL := help

CONFIGURATION ?= Release
ARCH := $(shell uname -m)
RID := $(if $(filter aarch64,$(ARCH)),linux-arm64,linux-x64)
export DOTNET_CLI_TELEMETRY_OPTOUT = 1
export DOTNET_NOLOGO = 1
# so that the SDK needs no ICU
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT = 1
export MSBUILDDISABLENODEREUSE = 1

.PHONY: help deps bpf build publish image-rootfs demo test soak bench check chart kernels format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | column -t -s "$$(printf '\t')"

deps: ## install what is missing (apt), or name it
	@scripts/deps.sh

bpf: deps ## compile the kernel half into build/bpf
	@$(MAKE) --no-print-directory -C bpf

build: bpf ## build everything (no tests run)
	@dotnet build Ebpf.Cni.sln -c $(CONFIGURATION) -v quiet --nologo

publish: bpf ## artifacts/: agent, plugin and ecni as native binaries, the BPF objects, the sandbox
	@RID=$(RID) scripts/publish.sh

image-rootfs: publish ## build/image/rootfs: the files of the container image, which the Dockerfile makes by the same script
	@scripts/image-rootfs.sh

demo: publish ## a cluster in a box: a Service answered by eBPF, end to end; KEEP=1 leaves it running
	@scripts/demo.sh $(if $(KEEP),--keep)

test: build image-rootfs ## every test; what needs root is skipped without it, and under CI=true a skip fails
	@CONFIGURATION=$(CONFIGURATION) scripts/test.sh

soak: build ## storms of random objects against the whole sync loop, for an hour; SOAK_MINUTES=... for longer
	@EBPF_CNI_SOAK_MINUTES=$(or $(SOAK_MINUTES),60) dotnet tests/Ebpf.Cni.Sync.Tests/bin/$(CONFIGURATION)/net10.0/Ebpf.Cni.Sync.Tests.dll -noColor -noLogo -class '*.StormTests'

bench: publish ## measure against direct connections, iptables and nftables rules; writes docs/benchmarks.md and its plots
	@dotnet run --project tests/Ebpf.Cni.Benchmarks -c Release -- $(BENCH_ARGS)

check: build ## quick: formatting and the tests that need neither root nor published binaries
	@$(MAKE) --no-print-directory -C bpf format-check
	@CONFIGURATION=$(CONFIGURATION) scripts/test.sh Abi Architecture Chart Compiler Kubernetes

chart: ## lint the Helm chart and write deploy/*.yaml from it
	@HELM=$(HELM) scripts/deps.sh
	@HELM=$(HELM) scripts/chart.sh

kernels: bpf ## boot Linux 5.10 and 6.1 in an emulator and have them verify the BPF programs (not part of test)
	@SUITE=bullseye scripts/kernel-check.sh
	@SUITE=bookworm scripts/kernel-check.sh

format: ## format C and C#
	@$(MAKE) --no-print-directory -C bpf format
	@dotnet format Ebpf.Cni.sln

clean: ## remove what was built
	@rm -rf build artifacts
	@find src tests -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} +
