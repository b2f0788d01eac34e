namespace Ebpf.Cni.Cli.Protocol;

/// <summary>The frontends that the kernel holds. Markers that only refuse (a cluster IP's other ports) or guard (NodePorts of the node) are left out.</summary>
public sealed record ServicesAnswer
{
    /// <summary>All that were asked for; more than are listed if there is a limit.</summary>
    public int Total { get; init; }

    public IReadOnlyList<FrontendLine> Frontends { get; init; } = [];
}

/// <summary>A frontend as the kernel's table has it, with the names that the agent knows.</summary>
public record FrontendLine
{
    /// <summary>namespace/name; "" if nobody knows the id.</summary>
    public string Service { get; init; } = "";

    /// <summary>The port's name in the Service.</summary>
    public string PortName { get; init; } = "";

    public uint ServiceId { get; init; }
    public string Address { get; init; } = "";
    public int Port { get; init; }
    public string Protocol { get; init; } = "";

    /// <summary>internal, or external where what comes over an uplink has a list of its own.</summary>
    public string Scope { get; init; } = "";

    /// <summary>That new connections go to.</summary>
    public int Backends { get; init; }

    /// <summary>Of these, on this node.</summary>
    public int Local { get; init; }

    /// <summary>That serve, and get no new connections.</summary>
    public int Tail { get; init; }

    public IReadOnlyList<string> Flags { get; init; } = [];

    /// <summary>ok, or how it differs from what was last applied: broken, different, unexpected.</summary>
    public string State { get; init; } = "";
}

/// <summary>One service.</summary>
public sealed record ServiceAnswer
{
    public string Service { get; init; } = "";

    /// <summary>spec.type; null if the API has no such Service.</summary>
    public string? Type { get; init; }

    public IReadOnlyList<FrontendDetail> Frontends { get; init; } = [];

    /// <summary>Frontends that should be in the kernel and are not.</summary>
    public IReadOnlyList<string> Missing { get; init; } = [];

    public IReadOnlyList<IssueStatus> Issues { get; init; } = [];
}

public sealed record FrontendDetail : FrontendLine
{
    public uint AffinitySeconds { get; init; }

    /// <summary>Clients that may use it, where the flag sourceRanges is set.</summary>
    public IReadOnlyList<string> SourceRanges { get; init; } = [];

    public IReadOnlyList<BackendLine> Served { get; init; } = [];
}

public sealed record BackendLine
{
    public string Address { get; init; } = "";
    public int Port { get; init; }

    /// <summary>namespace/name if it is on this node; else "".</summary>
    public string Pod { get; init; } = "";

    /// <summary>"" if it is not known.</summary>
    public string Node { get; init; } = "";

    public bool Local { get; init; }

    /// <summary>It serves what it has, and gets nothing new.</summary>
    public bool Tail { get; init; }

    /// <summary>Counted for the service port, whichever frontend they came by; packets and bytes of live connections as of the last sweep.</summary>
    public ulong Connections { get; init; }

    public ulong PacketsTo { get; init; }
    public ulong BytesTo { get; init; }
    public ulong PacketsFrom { get; init; }
    public ulong BytesFrom { get; init; }
}
