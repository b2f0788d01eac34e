using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Kubernetes;

/// <summary>A cluster to compile, and when the oldest change in it arrived.</summary>
/// <param name="Cluster">Everything known now.</param>
/// <param name="Arrived">A <see cref="TimeProvider.GetTimestamp"/> value: the earliest event not handed out before.</param>
public readonly record struct SnapshotChange(ClusterSnapshot Cluster, long Arrived);
