namespace Ebpf.Cni.Kubernetes.Tests.FakeApi;

/// <summary>A request as the script sees it.</summary>
/// <param name="Path">Without query: api/v1/services.</param>
/// <param name="Number">1 for the first request to this path.</param>
/// <param name="Watch">A watch; else a list page.</param>
/// <param name="Continue">The page token; null on a first page.</param>
/// <param name="Version">The resourceVersion asked for; null if none.</param>
/// <param name="Limit">The page size asked for; null: no paging.</param>
/// <param name="Match">The resourceVersionMatch asked for; null if none.</param>
/// <param name="Selector">The label selector asked for; null if none.</param>
public sealed record FakeRequest(
    string Path,
    int Number,
    bool Watch,
    string? Continue,
    string? Version,
    int? Limit,
    string? Authorization,
    string? Match = null,
    string? Selector = null)
{
    /// <summary>Asks whether a version is known.</summary>
    public bool IsCheck => Match is not null && Limit == 1;

    /// <summary>A list or its first page; not a check.</summary>
    public bool IsList => !Watch && !IsCheck && Continue is null;
}

/// <summary>One way to misbehave in one answer. Watch faults strike after a number of events (bookmarks count).</summary>
public abstract record Fault
{
    /// <summary>An HTTP status with a Status body.</summary>
    public sealed record Refuse(int Code, string? RetryAfter = null, string Message = "told to refuse") : Fault;

    /// <summary>200 and this text, whatever was asked.</summary>
    public sealed record Say(string Text) : Fault;

    /// <summary>A correct list, cut by a reset after so many bytes.</summary>
    public sealed record CutList(int Bytes) : Fault;

    /// <summary>No answer at all until the client gives up.</summary>
    public sealed record Hang : Fault;

    /// <summary>A beginning, and then a blank every so often, for ever.</summary>
    public sealed record Trickle(TimeSpan Pause, TimeProvider Time) : Fault;

    /// <summary>The connection is reset before an answer.</summary>
    public sealed record Reset : Fault;

    /// <summary>The connection is closed before an answer, with everything else on it.</summary>
    public sealed record HangUp : Fault;

    /// <summary>The list or the watch's events are sent in pieces of so many bytes.</summary>
    public sealed record Chop(int Bytes) : Fault;

    /// <summary>The watch ends properly.</summary>
    public sealed record EndAfter(int Events) : Fault;

    /// <summary>The watch goes silent; the connection stays.</summary>
    public sealed record StallAfter(int Events) : Fault;

    /// <summary>The connection breaks, half an event on the wire.</summary>
    public sealed record BreakAfter(int Events) : Fault;

    /// <summary>An ERROR event, then the end.</summary>
    public sealed record ErrorAfter(int Events, int Code, string Reason) : Fault
    {
        public string Message { get; init; } = "told to fail";
    }

    /// <summary>This line instead of an event, then the watch goes on.</summary>
    public sealed record GarbageAfter(int Events, string Line) : Fault;

    /// <summary>Each event is sent twice.</summary>
    public sealed record Twice : Fault;

    /// <summary>The event before the last is repeated after it.</summary>
    public sealed record Replay : Fault;
}
