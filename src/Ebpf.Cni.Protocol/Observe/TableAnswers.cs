namespace Ebpf.Cni.Protocol.Observe;

/// <summary>Pods' interfaces on this node.</summary>
public sealed record EndpointsAnswer
{
    public int Total { get; set; }
    public IReadOnlyList<EndpointLine> Endpoints { get; set; } = [];
}

public sealed record EndpointLine
{
    public uint Id { get; set; }

    /// <summary>namespace/name; "" if the runtime did not name it.</summary>
    public string Pod { get; set; } = "";

    public IReadOnlyList<string> Addresses { get; set; } = [];

    /// <summary>The node's side; "" if there is no such device.</summary>
    public string Interface { get; set; } = "";

    public int Ifindex { get; set; }
    public string Mac { get; set; } = "";

    /// <summary>Its rate is limited.</summary>
    public bool Limited { get; set; }

    /// <summary>
    /// ok; missing: recorded, not in the kernel; unknown: in the kernel, not recorded; different: with other addresses than recorded; no
    /// device.
    /// </summary>
    public string State { get; set; } = "";
}

/// <summary>Connections that are translated packet by packet, the most recently used first.</summary>
public sealed record ConntrackAnswer
{
    public uint Entries { get; set; }
    public uint Size { get; set; }

    /// <summary>Connections that were asked for; a connection has two entries.</summary>
    public int Total { get; set; }

    public IReadOnlyList<ConnectionLine> Connections { get; set; } = [];
}

public sealed record ConnectionLine
{
    public string Protocol { get; set; } = "";
    public string State { get; set; } = "";

    /// <summary>Who began it: address and port.</summary>
    public string Client { get; set; } = "";

    public string ClientPod { get; set; } = "";

    /// <summary>What it asked for.</summary>
    public string Destination { get; set; } = "";

    /// <summary>namespace/name:port; "" where there is none (masqueraded only, or the reply direction).</summary>
    public string Service { get; set; } = "";

    /// <summary>Where it goes.</summary>
    public string Backend { get; set; } = "";

    public string BackendPod { get; set; } = "";
    public string BackendNode { get; set; } = "";

    /// <summary>As whom the backend sees the client.</summary>
    public string Source { get; set; } = "";

    public double AgeSeconds { get; set; }
    public double IdleSeconds { get; set; }

    /// <summary>Idle for so long that the next garbage collection pass removes it.</summary>
    public bool Expired { get; set; }

    public ulong PacketsTo { get; set; }
    public ulong BytesTo { get; set; }
    public ulong PacketsFrom { get; set; }
    public ulong BytesFrom { get; set; }
}

/// <summary>What destinations are; all else is outside the cluster.</summary>
public sealed record IpcacheAnswer
{
    public int Total { get; set; }
    public uint Size { get; set; }
    public IReadOnlyList<PrefixLine> Prefixes { get; set; } = [];
}

public sealed record PrefixLine
{
    public string Prefix { get; set; } = "";

    /// <summary>pod, node, exempt (from masquerading).</summary>
    public IReadOnlyList<string> Kinds { get; set; } = [];

    /// <summary>Whose it is; "" if it is not known.</summary>
    public string Node { get; set; } = "";

    /// <summary>The node to which packets are encapsulated; null where they are not.</summary>
    public string? Tunnel { get; set; }
}
