namespace Ebpf.Cni.Cli.Protocol;

/// <summary>Pods' interfaces on this node.</summary>
public sealed record EndpointsAnswer
{
    public int Total { get; init; }
    public IReadOnlyList<EndpointLine> Endpoints { get; init; } = [];
}

public sealed record EndpointLine
{
    public uint Id { get; init; }

    /// <summary>namespace/name; "" if the runtime did not tell.</summary>
    public string Pod { get; init; } = "";

    public IReadOnlyList<string> Addresses { get; init; } = [];

    /// <summary>The node's side; "" if there is no such device.</summary>
    public string Interface { get; init; } = "";

    public int Ifindex { get; init; }
    public string Mac { get; init; } = "";

    /// <summary>Its rate is limited.</summary>
    public bool Limited { get; init; }

    /// <summary>ok; missing: recorded, not in the kernel; unknown: in the kernel, not recorded; different: with other addresses than recorded; no device.</summary>
    public string State { get; init; } = "";
}

/// <summary>Connections that are translated packet by packet, the most recently used first.</summary>
public sealed record ConntrackAnswer
{
    public uint Entries { get; init; }
    public uint Size { get; init; }

    /// <summary>Connections that were asked for; a connection has two entries.</summary>
    public int Total { get; init; }

    public IReadOnlyList<ConnectionLine> Connections { get; init; } = [];
}

public sealed record ConnectionLine
{
    public string Protocol { get; init; } = "";
    public string State { get; init; } = "";

    /// <summary>Who began it: address and port.</summary>
    public string Client { get; init; } = "";

    public string ClientPod { get; init; } = "";

    /// <summary>What it asked for.</summary>
    public string Destination { get; init; } = "";

    /// <summary>namespace/name:port; "" where there is none (masqueraded only, or an answer's way).</summary>
    public string Service { get; init; } = "";

    /// <summary>Where it goes.</summary>
    public string Backend { get; init; } = "";

    public string BackendPod { get; init; } = "";
    public string BackendNode { get; init; } = "";

    /// <summary>As whom the backend sees the client.</summary>
    public string Source { get; init; } = "";

    public double AgeSeconds { get; init; }
    public double IdleSeconds { get; init; }

    /// <summary>Idle for so long that the next sweep removes it.</summary>
    public bool Expired { get; init; }

    public ulong PacketsTo { get; init; }
    public ulong BytesTo { get; init; }
    public ulong PacketsFrom { get; init; }
    public ulong BytesFrom { get; init; }
}

/// <summary>What destinations are; all else is outside the cluster.</summary>
public sealed record IpcacheAnswer
{
    public int Total { get; init; }
    public uint Size { get; init; }
    public IReadOnlyList<PrefixLine> Prefixes { get; init; } = [];
}

public sealed record PrefixLine
{
    public string Prefix { get; init; } = "";

    /// <summary>pod, node, exempt (from masquerading).</summary>
    public IReadOnlyList<string> Kinds { get; init; } = [];

    /// <summary>Whose it is; "" if it is not known.</summary>
    public string Node { get; init; } = "";

    /// <summary>The node to which packets are encapsulated; null where they are not.</summary>
    public string? Tunnel { get; init; }
}
