namespace Ebpf.Cni.Kubernetes.Watching;

/// <summary>How one kind's watch is doing, for metrics and health.</summary>
public sealed record ReflectorState
{
    /// <summary>Service, EndpointSlice or Node.</summary>
    public required string Kind { get; init; }

    /// <summary>A watch is open now.</summary>
    public bool Connected { get; init; }

    /// <summary>The first complete list is in.</summary>
    public bool Synced { get; init; }

    /// <summary>Objects held.</summary>
    public int Objects { get; init; }

    /// <summary>Complete lists taken in, the first included.</summary>
    public long Lists { get; init; }

    /// <summary>Watch events applied; bookmarks are not events.</summary>
    public long Events { get; init; }

    /// <summary>Duplicates and older events that were ignored.</summary>
    public long StaleEvents { get; init; }

    public long Bookmarks { get; init; }

    /// <summary>Failed requests and broken watches.</summary>
    public long Errors { get; init; }

    /// <summary>Objects or events that could not be decoded.</summary>
    public long Undecodable { get; init; }

    /// <summary>When the server last said anything on a list or watch; null: never.</summary>
    public DateTimeOffset? LastHeard { get; init; }

    /// <summary>The last failure, in words; null since the last success.</summary>
    public string? LastError { get; init; }

    /// <summary>The version up to which this kind is known.</summary>
    public string? ResourceVersion { get; init; }
}
