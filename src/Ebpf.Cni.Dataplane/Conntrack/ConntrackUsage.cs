using Ebpf.Cni.Dataplane.Observe;

namespace Ebpf.Cni.Dataplane.Conntrack;

/// <summary>How full the connection tables are, in connections.</summary>
public readonly record struct ConntrackUsage(TableUsage Tcp, TableUsage Any)
{
    public uint Connections => Tcp.Entries + Any.Entries;

    public uint Size => Tcp.Size + Any.Size;

    /// <summary>Of the fuller table, from 0 to 1.</summary>
    public double Fill => Math.Max(Share(Tcp), Share(Any));

    public static double Share(in TableUsage table) => table.Size == 0 ? 0 : (double)table.Entries / table.Size;
}
