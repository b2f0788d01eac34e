using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Sync.Options;

/// <summary>The agent's options as far as the sync loop uses them.</summary>
/// <param name="NodeName">This node's name in the API.</param>
public sealed record SyncOptions(string NodeName)
{
    /// <summary>Another plugin makes the pods' network; the services are ours.</summary>
    public bool Chained { get; init; }

    /// <summary>The state directory.</summary>
    public string StateDir { get; init; } = "";

    /// <summary>/proc/sys/net, or where a container has it.</summary>
    public string SysctlRoot { get; init; } = SysctlTree.Usual;

    /// <summary>Addresses within these serve NodePorts; empty: the primary ones.</summary>
    public ImmutableArray<IPNetwork> NodePortAddresses { get; init; } = [];

    public bool LocalhostNodePorts { get; init; }
    public bool ExternalIPs { get; init; }
    public ImmutableArray<IPNetwork> MasqueradeExempt { get; init; } = [];

    /// <summary>Patterns of names; empty: the node's network state decides.</summary>
    public ImmutableArray<string> Uplinks { get; init; } = [];

    public RoutingMode Routing { get; init; }
    public TunnelUnderlay TunnelUnderlay { get; init; }

    /// <summary>UDP.</summary>
    public ushort TunnelPort { get; init; }

    public uint TunnelVni { get; init; }

    /// <summary>Bytes; 0: what fits through the uplinks, with the tunnel's headers unless there are no tunnels.</summary>
    public int Mtu { get; init; }

    /// <summary>From the end of an apply to the next; zero: none.</summary>
    public TimeSpan MinSyncPeriod { get; init; }

    public TimeSpan VerifyPeriod { get; init; }
    public TimeSpan ConntrackSweepPeriod { get; init; }
}
