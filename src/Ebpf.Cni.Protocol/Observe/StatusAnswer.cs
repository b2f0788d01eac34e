namespace Ebpf.Cni.Protocol.Observe;

/// <summary>A node at a glance. Lists are empty, and figures 0, while they are not known.</summary>
public sealed record StatusAnswer
{
    public string Version { get; set; } = "";
    public string Kernel { get; set; } = "";
    public string Node { get; set; } = "";
    public double UptimeSeconds { get; set; }

    /// <summary>As /readyz says it.</summary>
    public bool Ready { get; set; }

    /// <summary>What is not done yet, a few words each.</summary>
    public IReadOnlyList<string> NotReady { get; set; } = [];

    public ModeStatus Mode { get; set; } = new();
    public NetworkStatus Network { get; set; } = new();
    public SyncAnswer Sync { get; set; } = new();
    public CountStatus Counts { get; set; } = new();
    public IReadOnlyList<FeatureStatus> Features { get; set; } = [];

    /// <summary>What the operator should know, a sentence each.</summary>
    public IReadOnlyList<string> Notices { get; set; } = [];

    public IReadOnlyList<TableStatus> Tables { get; set; } = [];

    /// <summary>Drops since the counters were made, most first; those that never happened are absent.</summary>
    public IReadOnlyList<DropStatus> Drops { get; set; } = [];

    /// <summary>Objects that cannot be served as they are.</summary>
    public IReadOnlyList<IssueStatus> Issues { get; set; } = [];

    /// <summary>Warnings and errors of the log, newest first.</summary>
    public IReadOnlyList<LoggedError> Errors { get; set; } = [];
}

/// <summary>Options that decide what this agent does, as they are spelled.</summary>
public sealed record ModeStatus
{
    public string Cni { get; set; } = "";
    public string SocketLb { get; set; } = "";
    public string Routing { get; set; } = "";
    public bool Masquerade { get; set; }
    public string ExternalSource { get; set; } = "";
    public string PodAttachment { get; set; } = "";
}

public sealed record NetworkStatus
{
    /// <summary>By which others know the node, IPv4 first.</summary>
    public IReadOnlyList<string> Addresses { get; set; } = [];

    public IReadOnlyList<string> PodCidrs { get; set; } = [];
    public IReadOnlyList<AddressUse> PodAddresses { get; set; } = [];
    public IReadOnlyList<UplinkStatus> Uplinks { get; set; } = [];

    /// <summary>Devices that should be uplinks and cannot, and why.</summary>
    public IReadOnlyList<string> Unfit { get; set; } = [];

    public int PodMtu { get; set; }

    /// <summary>The tunnel's device; null without one.</summary>
    public string? Tunnel { get; set; }

    /// <summary>Other nodes whose pods are reached by a route, and through the tunnel.</summary>
    public int DirectPeers { get; set; }

    public int TunnelPeers { get; set; }
}

/// <param name="Family">ipv4 or ipv6.</param>
/// <param name="InUse">By pods.</param>
/// <param name="Resting">Released a moment ago.</param>
/// <param name="Capacity">That the podCIDRs can give.</param>
public sealed record AddressUse(string Family, int InUse, int Resting, double Capacity);

public sealed record UplinkStatus(string Name, int Mtu, string? V4, string? V6);

public sealed record SyncAnswer
{
    public bool First { get; set; }

    /// <summary>When the kernel last held all that was known; null before that.</summary>
    public DateTimeOffset? LastApplied { get; set; }

    public double? SinceSeconds { get; set; }

    /// <summary>How long the oldest change has waited for the kernel; null when nothing waits.</summary>
    public double? WaitingSeconds { get; set; }

    public IReadOnlyList<WatchStatus> Watches { get; set; } = [];
}

public sealed record WatchStatus(string Kind, bool Connected, bool Synced, int Objects, string? LastError);

/// <summary>Counted in the kernel's tables.</summary>
public sealed record CountStatus
{
    public int Services { get; set; }
    public int ServicePorts { get; set; }
    public int Frontends { get; set; }
    public int Backends { get; set; }

    /// <summary>Pods' interfaces on this node.</summary>
    public int Endpoints { get; set; }

    public int Connections { get; set; }
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
