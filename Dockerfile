# syntax=docker/dockerfile:1
#
# The container image. Every stage runs what `make` runs, so that what the tests test is what the image has: scripts/image-rootfs.sh puts the files together, here
# and on a machine without a container engine.
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" -t ebpf-cni:0.1.0 .
#
# Stages run on the platform that they build for, since the native compiler and the libraries are that platform's: an arm64 image is built on an arm64 machine
# (the SDK does not work under QEMU's emulation), and `docker manifest` joins the two.

# The SDK is taken out of its image and used on Debian 12: the plugin runs on the node, by the node's C library, which must not be older than that
# it was linked with. There is no image of this SDK on a Debian.
FROM mcr.microsoft.com/dotnet/sdk:10.0.401-noble AS sdk

FROM debian:12.12-slim AS bpf
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends clang llvm make libbpf-dev linux-libc-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY bpf/ bpf/
RUN make -C bpf

FROM debian:12.12-slim AS publish
ARG TARGETARCH
ARG VERSION=0.1.0
ARG REVISION=
ENV DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1 PATH=/usr/share/dotnet:/usr/bin:/bin
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates clang gcc libc6-dev libssl3 zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=sdk /usr/share/dotnet /usr/share/dotnet
WORKDIR /src
COPY .editorconfig BannedSymbols.txt Directory.Build.props Directory.Build.targets Directory.Packages.props ./
COPY src/ src/
COPY deploy/ deploy/
COPY scripts/publish.sh scripts/
COPY --from=bpf /src/build/bpf/ build/bpf/
RUN case "$TARGETARCH" in arm64) RID=linux-arm64 ;; *) RID=linux-x64 ;; esac; export RID VERSION REVISION; scripts/publish.sh

FROM debian:12.12-slim AS rootfs
ARG SOURCE_DATE_EPOCH=0
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates libbpf1 libgcc-s1 libssl3 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY LICENSE ./
COPY bpf/LICENSE bpf/
COPY scripts/image-rootfs.sh scripts/
COPY --from=publish /src/artifacts/ artifacts/
RUN scripts/image-rootfs.sh

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ebpf-cni" \
      org.opencontainers.image.description="Kubernetes network plugin and kube-proxy replacement in eBPF" \
      org.opencontainers.image.licenses="Apache-2.0 AND (GPL-2.0-only OR BSD-2-Clause)" \
      org.opencontainers.image.source="https://github.com/ebpf-cni/ebpf-cni" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=rootfs /src/build/image/rootfs/ /
ENV PATH=/opt/ebpf-cni:/usr/bin
ENTRYPOINT ["/opt/ebpf-cni/ebpf-cni-agent"]
