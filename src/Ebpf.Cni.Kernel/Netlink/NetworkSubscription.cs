namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>Which routes' changes are reported.</summary>
[Flags]
public enum RouteEvents
{
    None = 0,

    /// <summary>Of those of <see cref="NetworkSubscription.Protocol"/>.</summary>
    OfProtocol = 1,

    /// <summary>Of those that take another's place, whatever their owner.</summary>
    Replacements = 2,

    /// <summary>Of default routes.</summary>
    Defaults = 4,

    /// <summary>Of all in the main table.</summary>
    All = 8,
}

/// <summary>
/// Which changes of a network are reported: interfaces, addresses, and the routes of the
/// main table that are named here. What is not is dropped by the kernel where it arises: a
/// routing daemon's hundred thousand changes cost the process that does not ask for them nothing.
/// </summary>
public sealed record NetworkSubscription
{
    public RouteEvents Routes { get; init; } = RouteEvents.All;

    /// <summary>For <see cref="RouteEvents.OfProtocol"/>.</summary>
    public byte Protocol { get; init; }

    /// <summary>Next hop objects too.</summary>
    public bool NextHops { get; init; } = true;

    /// <summary>Neighbours too, and settings.</summary>
    public bool NeighboursAndSettings { get; init; }

    /// <summary>Addresses that come and permanent neighbours that are set too; else only what goes, and what is doubtful.</summary>
    public bool Arrivals { get; init; } = true;
}
