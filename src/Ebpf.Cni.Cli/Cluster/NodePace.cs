namespace Ebpf.Cni.Cli.Cluster;

/// <summary>How nodes are asked.</summary>
/// <param name="AtOnce">Nodes that are asked at the same time.</param>
/// <param name="Patience">How long one may take, from the moment when it is asked.</param>
/// <param name="Time">Measures that.</param>
internal sealed record NodePace(int AtOnce, TimeSpan Patience, TimeProvider Time);
