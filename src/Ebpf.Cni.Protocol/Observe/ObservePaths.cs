namespace Ebpf.Cni.Protocol.Observe;

/// <summary>
/// What the agent answers over HTTP on its socket for people, and where that is. The agent compiles these files too: one truth for both
/// ends.
/// </summary>
public static class ObservePaths
{
    /// <summary>In the agent's run directory; for root alone.</summary>
    public const string SocketName = "observe.sock";

    public const string DefaultRunDirectory = "/run/ebpf-cni";

    public const string Status = "/v1/status";

    /// <summary>One service: followed by /namespace/name.</summary>
    public const string Services = "/v1/services";

    public const string Endpoints = "/v1/endpoints";
    public const string Conntrack = "/v1/conntrack";
    public const string Ipcache = "/v1/ipcache";

    /// <summary>Lines of a listing unless ?limit= says otherwise, and the most it can say.</summary>
    public const int LimitDefault = 1000;
    public const int ConntrackLimitDefault = 100;
    public const int LimitMost = 100_000;
}
