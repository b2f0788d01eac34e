namespace Ebpf.Cni.Pods.Addresses;

/// <summary>An address that was released and may not be given out yet.</summary>
public sealed record RestingRecord(string Address, DateTimeOffset Until);

/// <summary>The IP pool as it is kept on disk (addresses.json).</summary>
public sealed record PoolRecord
{
    /// <summary>The node's name, as it is written; "" in files of older agents.</summary>
    public string Node { get; init; } = "";

    /// <summary>The node's podCIDRs as last seen: pods can be started before the API server answers.</summary>
    public IReadOnlyList<string> PodCidrs { get; init; } = [];

    public IReadOnlyList<RestingRecord> Resting { get; init; } = [];

    /// <summary>The addresses given out last, at most one a family.</summary>
    public IReadOnlyList<string> Last { get; init; } = [];
}
