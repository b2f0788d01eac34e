using System.Collections.Immutable;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Model;

/// <summary>What answers: two pods on each node, and a server in each node's own network.</summary>
internal enum Backend
{
    A1,
    A2,
    HostA,
    B1,
    B2,
    HostB,
}

internal static class Backends
{
    public static readonly ImmutableArray<Backend> All = [.. Enum.GetValues<Backend>()];

    public static Site Site(this Backend backend) => backend is Backend.A1 or Backend.A2 or Backend.HostA ? Model.Site.A : Model.Site.B;

    public static bool IsHostNetwork(this Backend backend) => backend is Backend.HostA or Backend.HostB;
}

/// <summary>The conditions of an endpoint; null: not written, which has a meaning of its own.</summary>
internal sealed record EndpointState(string Sign, bool? ReadyCondition, bool? ServingCondition, bool? TerminatingCondition)
{
    /// <summary>Written by an old controller: no condition at all.</summary>
    public static readonly EndpointState Unknown = new("?", null, null, null);

    public static readonly EndpointState Ready = new("", true, true, false);
    public static readonly EndpointState Unready = new("!", false, false, false);

    /// <summary>Ends, and still answers its readiness probe.</summary>
    public static readonly EndpointState Terminating = new("~", false, true, true);

    /// <summary>Ends, and answers no more.</summary>
    public static readonly EndpointState Gone = new("x", false, false, true);

    /// <summary>Of a Service with publishNotReadyAddresses: ready, whatever else it is.</summary>
    public static readonly EndpointState Published = new("+", true, false, true);

    public bool IsReady => ReadyCondition ?? true;

    public bool IsServing => ServingCondition ?? true;

    public bool IsTerminating => TerminatingCondition ?? false;
}

/// <summary>One entry of an EndpointSlice. Zones are named after the nodes that are in them; C has none.</summary>
/// <param name="Zones">hints.forZones.</param>
/// <param name="Nodes">hints.forNodes.</param>
internal sealed record EndpointEntry(Backend Backend, EndpointState State, string Zones = "", string Nodes = "")
{
    public override string ToString() =>
        Backend.ToString().ToLowerInvariant() + State.Sign
        + (Zones.Length > 0 ? "/zone=" + Zones.ToLowerInvariant() : "") + (Nodes.Length > 0 ? "/node=" + Nodes.ToLowerInvariant() : "");
}

/// <summary>The endpoints of a Service.</summary>
internal sealed record EndpointSet(string Name, ImmutableArray<EndpointEntry> All)
{
    public bool Equals(EndpointSet? other) => other?.Name == Name;

    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => All.IsEmpty ? "(none)" : string.Join(' ', All);
}

/// <summary>Every combination of states and places whose treatment is documented, by name.</summary>
internal static class EndpointSets
{
    private static readonly EndpointState R = EndpointState.Ready, U = EndpointState.Unready, T = EndpointState.Terminating,
        G = EndpointState.Gone;

    public static readonly ImmutableArray<EndpointSet> All =
    [
        new("none", []),
        new("local ready", [new(Backend.A1, R), new(Backend.A2, R)]),
        new("remote ready", [new(Backend.B1, R), new(Backend.B2, R)]),
        new("ready on both", [new(Backend.A1, R), new(Backend.B1, R), new(Backend.B2, R)]),
        new("conditions not written", [new(Backend.A1, EndpointState.Unknown), new(Backend.B1, EndpointState.Unknown)]),
        new("local terminating", [new(Backend.A1, T), new(Backend.A2, T)]),
        new("remote terminating", [new(Backend.B1, T)]),
        new("terminating on both", [new(Backend.A1, T), new(Backend.B1, T), new(Backend.B2, T)]),
        new("local terminating, remote ready", [new(Backend.A1, T), new(Backend.B1, R)]),
        new("local ready, remote terminating", [new(Backend.A1, R), new(Backend.B1, T)]),
        new("ready and terminating beside", [new(Backend.A1, R), new(Backend.A2, T), new(Backend.B1, R), new(Backend.B2, U)]),
        new("unready", [new(Backend.A1, U), new(Backend.B1, U)]),
        new("unready local, terminating remote", [new(Backend.A1, U), new(Backend.B1, T)]),
        new("unready local, ready remote", [new(Backend.A1, U), new(Backend.B1, R)]),
        new("terminating, not serving", [new(Backend.A1, G), new(Backend.B1, G)]),
        new("published though terminating", [new(Backend.A1, EndpointState.Published), new(Backend.B1, T)]),
        new("local host network", [new(Backend.HostA, R)]),
        new("remote host network", [new(Backend.HostB, R)]),
        new("host network and pods", [new(Backend.HostA, R), new(Backend.A1, R), new(Backend.B1, R), new(Backend.HostB, R)]),
        new("zone hints", [new(Backend.A1, R, "A"), new(Backend.B1, R, "B")]),
        new("zone hints across", [new(Backend.A1, R, "B"), new(Backend.A2, R, "B"), new(Backend.B1, R, "A")]),
        new("zone hint missing on one", [new(Backend.A1, R, "A"), new(Backend.B1, R)]),
        new("zone hints, none for A", [new(Backend.A1, R, "B"), new(Backend.B1, R, "B"), new(Backend.B2, R, "C")]),
        new("zone hints, unready without", [new(Backend.A1, R, "AB"), new(Backend.B1, R, "B"), new(Backend.B2, U), new(Backend.A2, T)]),
        new("zone hints, all terminating", [new(Backend.A1, T, "A"), new(Backend.B1, T, "B")]),
        new("node hints", [new(Backend.A1, R, "", "A"), new(Backend.A2, R, "", "A"), new(Backend.B1, R, "", "B")]),
        new("node hint missing on one, zones on all",
            [new(Backend.A1, R, "A", "A"), new(Backend.A2, R, "A"), new(Backend.B1, R, "B", "B")]),
        new("node hints, none for A", [new(Backend.B1, R, "A", "B"), new(Backend.B2, R, "B", "B")]),
    ];

    public static EndpointSet Named(string name) => All.Single(s => s.Name == name);
}
