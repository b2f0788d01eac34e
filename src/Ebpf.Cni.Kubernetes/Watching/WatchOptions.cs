namespace Ebpf.Cni.Kubernetes.Watching;

/// <summary>How the reflectors behave. The defaults are for real clusters; tests shorten them.</summary>
public sealed record WatchOptions
{
    public static readonly WatchOptions Default = new();

    /// <summary>Objects asked for in one list page.</summary>
    public int PageSize { get; init; } = 500;

    /// <summary>
    /// The server is asked to end a watch after a random time between this and twice this, so that watches spread over API servers.
    /// </summary>
    public TimeSpan WatchTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How much later than asked a watch may end before it counts as dead.</summary>
    public TimeSpan WatchGrace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a watch may be silent once this server has been seen to send bookmarks; it sends one a minute where something happens.
    /// </summary>
    public TimeSpan BookmarkSilence { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>
    /// How long a watch may be silent from a version that is known from one answer only. The server is then asked whether it knows it.
    /// </summary>
    public TimeSpan DoubtfulSilence { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long a list, the first answer to a watch, or an unfinished line of one may be silent.</summary>
    public TimeSpan ResponseSilence { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan FirstBackoff { get; init; } = TimeSpan.FromMilliseconds(200);
    public TimeSpan LongestBackoff { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// The first list after a watch that cannot go on comes after a random time up to this: all nodes hear of a compaction at once.
    /// </summary>
    public TimeSpan RelistJitter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a list must keep on being empty before it is believed, where objects were known.</summary>
    public TimeSpan EmptyListDoubt { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Attempts at one page before the list starts over.</summary>
    public int AttemptsPerPage { get; init; } = 5;

    /// <summary>After so many watches in a row that failed or ended at once, list again.</summary>
    public int DoubtsBeforeRelist { get; init; } = 3;
}
