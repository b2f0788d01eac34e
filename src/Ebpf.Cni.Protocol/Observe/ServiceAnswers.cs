namespace Ebpf.Cni.Protocol.Observe;

/// <summary>
/// The frontends that the kernel holds. Reject entries (a cluster IP's other ports) and bind guards (NodePorts of the node) are left out.
/// </summary>
public sealed record ServicesAnswer
{
    /// <summary>All that were asked for; more than are listed if there is a limit.</summary>
    public int Total { get; set; }

    public IReadOnlyList<FrontendLine> Frontends { get; set; } = [];
}

/// <summary>A frontend as the kernel's table has it, with the names that the agent knows.</summary>
public record FrontendLine
{
    /// <summary>namespace/name; "" if the id is unknown.</summary>
    public string Service { get; set; } = "";

    /// <summary>The port's name in the Service.</summary>
    public string PortName { get; set; } = "";

    public uint ServiceId { get; set; }
    public string Address { get; set; } = "";
    public int Port { get; set; }
    public string Protocol { get; set; } = "";

    /// <summary>internal, or external where what comes over an uplink has a list of its own.</summary>
    public string Scope { get; set; } = "";

    /// <summary>That new connections go to.</summary>
    public int Backends { get; set; }

    /// <summary>Of these, on this node.</summary>
    public int Local { get; set; }

    /// <summary>That serve, and get no new connections.</summary>
    public int Tail { get; set; }

    public IReadOnlyList<string> Flags { get; set; } = [];

    /// <summary>ok, or how it differs from what was last applied: broken, different, unexpected.</summary>
    public string State { get; set; } = "";
}

/// <summary>One service.</summary>
public sealed record ServiceAnswer
{
    public string Service { get; set; } = "";

    /// <summary>spec.type; null if the API has no such Service.</summary>
    public string? Type { get; set; }

    public IReadOnlyList<FrontendDetail> Frontends { get; set; } = [];

    /// <summary>Frontends that should be in the kernel and are not.</summary>
    public IReadOnlyList<string> Missing { get; set; } = [];

    public IReadOnlyList<IssueStatus> Issues { get; set; } = [];

    /// <summary>The error where there is no such Service; kubectl-ecni tells it from a node that cannot be asked.</summary>
    public static string Unknown(string name) => $"neither the API nor the kernel's tables have a service {name}";
}

public sealed record FrontendDetail : FrontendLine
{
    public uint AffinitySeconds { get; set; }

    /// <summary>Clients that may use it, where the flag sourceRanges is set.</summary>
    public IReadOnlyList<string> SourceRanges { get; set; } = [];

    public IReadOnlyList<BackendLine> Served { get; set; } = [];
}

public sealed record BackendLine
{
    public string Address { get; set; } = "";
    public int Port { get; set; }

    /// <summary>namespace/name if it is on this node; else "".</summary>
    public string Pod { get; set; } = "";

    /// <summary>"" if it is not known.</summary>
    public string Node { get; set; } = "";

    public bool Local { get; set; }

    /// <summary>It serves what it has, and gets nothing new.</summary>
    public bool Tail { get; set; }

    /// <summary>
    /// serving; or why it gets nothing new: terminating, not ready, not chosen (others are preferred), gone (the slices do not have it).
    /// </summary>
    public string State { get; set; } = "";

    /// <summary>
    /// Counted for the service port, whichever frontend they came by; packets and bytes of live connections as of the last garbage
    /// collection pass.
    /// </summary>
    public ulong Connections { get; set; }

    public ulong PacketsTo { get; set; }
    public ulong BytesTo { get; set; }
    public ulong PacketsFrom { get; set; }
    public ulong BytesFrom { get; set; }
}
