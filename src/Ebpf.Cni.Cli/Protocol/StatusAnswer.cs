namespace Ebpf.Cni.Cli.Protocol;

/// <summary>A node at a glance. Lists are empty, and figures 0, while they are not known.</summary>
public sealed record StatusAnswer
{
    public string Version { get; init; } = "";
    public string Kernel { get; init; } = "";
    public string Node { get; init; } = "";
    public double UptimeSeconds { get; init; }

    /// <summary>As /readyz says it.</summary>
    public bool Ready { get; init; }

    /// <summary>What is not done yet, a few words each.</summary>
    public IReadOnlyList<string> NotReady { get; init; } = [];

    public ModeStatus Mode { get; init; } = new();
    public NetworkStatus Network { get; init; } = new();
    public SyncAnswer Sync { get; init; } = new();
    public CountStatus Counts { get; init; } = new();
    public IReadOnlyList<FeatureStatus> Features { get; init; } = [];

    /// <summary>What the operator should know, a sentence each.</summary>
    public IReadOnlyList<string> Notices { get; init; } = [];

    public IReadOnlyList<TableStatus> Tables { get; init; } = [];

    /// <summary>Drops since the counters were made, most first; those that never happened are absent.</summary>
    public IReadOnlyList<DropStatus> Drops { get; init; } = [];

    /// <summary>Objects that cannot be served as they are.</summary>
    public IReadOnlyList<IssueStatus> Issues { get; init; } = [];

    /// <summary>Warnings and errors of the log, newest first.</summary>
    public IReadOnlyList<LoggedError> Errors { get; init; } = [];
}

/// <summary>Options that decide what this agent does, as they are spelled.</summary>
public sealed record ModeStatus
{
    public string Cni { get; init; } = "";
    public string SocketLb { get; init; } = "";
    public string Routing { get; init; } = "";
    public bool Masquerade { get; init; }
    public string ExternalSource { get; init; } = "";
    public string PodAttachment { get; init; } = "";
}

public sealed record NetworkStatus
{
    /// <summary>By which others know the node, IPv4 first.</summary>
    public IReadOnlyList<string> Addresses { get; init; } = [];

    public IReadOnlyList<string> PodCidrs { get; init; } = [];
    public IReadOnlyList<AddressUse> PodAddresses { get; init; } = [];
    public IReadOnlyList<UplinkStatus> Uplinks { get; init; } = [];

    /// <summary>Devices that should be uplinks and cannot, and why.</summary>
    public IReadOnlyList<string> Unfit { get; init; } = [];

    public int PodMtu { get; init; }

    /// <summary>The tunnel's device; null without one.</summary>
    public string? Tunnel { get; init; }

    /// <summary>Other nodes whose pods are reached by a route, and through the tunnel.</summary>
    public int DirectPeers { get; init; }

    public int TunnelPeers { get; init; }
}

/// <param name="Family">ipv4 or ipv6.</param>
/// <param name="InUse">By pods.</param>
/// <param name="Resting">Released a moment ago.</param>
/// <param name="Capacity">That the podCIDRs can give.</param>
public sealed record AddressUse(string Family, int InUse, int Resting, double Capacity);

public sealed record UplinkStatus(string Name, int Mtu, string? V4, string? V6);

public sealed record SyncAnswer
{
    public bool First { get; init; }

    /// <summary>When the kernel last held all that was known; null before that.</summary>
    public DateTimeOffset? LastApplied { get; init; }

    public double? SinceSeconds { get; init; }

    /// <summary>How long the oldest change has waited for the kernel; null when nothing waits.</summary>
    public double? WaitingSeconds { get; init; }

    public IReadOnlyList<WatchStatus> Watches { get; init; } = [];
}

public sealed record WatchStatus(string Kind, bool Connected, bool Synced, int Objects, string? LastError);

/// <summary>Counted in the kernel's tables; connections at the last sweep.</summary>
public sealed record CountStatus
{
    public int Services { get; init; }
    public int ServicePorts { get; init; }
    public int Frontends { get; init; }
    public int Backends { get; init; }

    /// <summary>Pods' interfaces on this node.</summary>
    public int Endpoints { get; init; }

    public int Connections { get; init; }
}

/// <param name="Name">Stable.</param>
/// <param name="Present">Found by trying.</param>
/// <param name="AbsenceCosts">What happens without it.</param>
public sealed record FeatureStatus(string Name, bool Present, string AbsenceCosts);

public sealed record TableStatus(string Name, uint Entries, uint Size);

public sealed record DropStatus(string Reason, string Hook, ulong Packets);

public sealed record IssueStatus(string Kind, string Name, string Reason, string Message);

/// <param name="Time">Of the last, if it was logged several times.</param>
/// <param name="Level">Warning, Error or Fatal.</param>
/// <param name="Message">As in the log.</param>
/// <param name="Count">How often.</param>
public sealed record LoggedError(DateTimeOffset Time, string Level, string Message, int Count);
