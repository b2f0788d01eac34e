using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Kubernetes.Store;
using Microsoft.Extensions.Logging;

namespace Ebpf.Cni.Kubernetes.Watching;

/// <summary>
/// Keeps one kind's objects as the API server has them: a paged list, then a watch from its version, resumed as often as it ends.
/// <para>
/// The first list is a consistent one (no resourceVersion, that is: not "any cached state" as resourceVersion=0 allows). It
/// costs the server more, but a stale cache of one of several API servers would show an older cluster after a restart, and
/// removing what is missing there would cut live services. Later lists ask for nothing older than the last version, which
/// the cache can serve; where the server refuses that, or the version is itself in question, they are consistent again.
/// </para>
/// <para>
/// A failure never touches the store. What removes an object is its own DELETED event, or a complete list without it.
/// </para>
/// <para>
/// Whatever the server answers, a minute after it has come to its senses the objects are right: no delay is longer
/// than <see cref="WatchOptions.LongestBackoff"/> (or the server's own wish), whatever hangs or trickles is given up,
/// and every recovery ends in a list unless the server confirms the version and then serves a watch from it.
/// </para>
/// </summary>
internal sealed partial class Reflector<T>
    where T : class
{
    private static readonly TimeSpan ShortWatch = TimeSpan.FromSeconds(1);
    private readonly ResourceKind<T> _kind;
    private readonly ApiPaths _paths;
    private readonly IObjectSink<T> _sink;
    private readonly ApiReader _api;
    private readonly WatchOptions _options;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly ILogger _log;
    private readonly ReflectorStatus _status;
    private readonly Backoff _backoff;
    private readonly JsonPruner _events;
    private readonly JsonPruner _elements;
    private Step _next = Step.ListAnew;
    private string? _version;
    private bool _confirmed;
    private bool _bookmarksSeen;
    private bool _inTrouble;
    private int _doubts;
    private bool _checkedInVain;
    private int _expiredPages;
    private bool _pagesExpired;
    private int _fruitlessLists;

    public Reflector(
        ResourceKind<T> kind, IObjectSink<T> sink, ApiReader api, WatchOptions options, TimeProvider time, Random random, ILogger log)
    {
        (_kind, _sink, _api, _options, _time, _random, _log) = (kind, sink, api, options, time, random, log);
        _paths = new ApiPaths(kind.Path, kind.Selector);
        _status = new ReflectorStatus(kind.Kind, time);
        _backoff = new Backoff(options.FirstBackoff, options.LongestBackoff, random);
        _events = new JsonPruner(WatchEvent.Members(kind.Members));
        _elements = new JsonPruner(kind.Members);
    }

    /// <summary>What is asked of the server next.</summary>
    private enum Step
    {
        /// <summary>The present state, whatever its version.</summary>
        ListAnew,

        /// <summary>A state not older than the last version.</summary>
        List,

        /// <summary>Whether the server knows the last version.</summary>
        Check,

        /// <summary>What came after the last version.</summary>
        Watch,
    }

    public ReflectorState State => _status.Read() with { Objects = _sink.Count };

    /// <summary>Runs until cancelled. Any other exception is a bug.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            TimeSpan wait;
            try
            {
                wait = await GoOnAsync(ct).ConfigureAwait(false);
            }
            catch (ApiFailureException e)
            {
                wait = Failed(e);
            }

            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, _time, ct).ConfigureAwait(false);
        }
    }

    /// <summary>Takes the next step, and says how long to wait after it.</summary>
    /// <exception cref="ApiFailureException">It failed.</exception>
    private async Task<TimeSpan> GoOnAsync(CancellationToken ct)
    {
        switch (_next)
        {
            case Step.ListAnew or Step.List:
                await ListAsync(ct).ConfigureAwait(false);
                _next = Step.Watch;
                return TimeSpan.Zero;
            case Step.Check:
                await CheckAsync(ct).ConfigureAwait(false);
                _next = Step.Watch;
                return TimeSpan.Zero;
            default:
                return await WatchAsync(ct).ConfigureAwait(false);
        }
    }

    /// <summary>Decides where to go on from, and how long to wait before.</summary>
    private TimeSpan Failed(ApiFailureException failure)
    {
        _status.Change(s => s with { Connected = false, Errors = s.Errors + 1, LastError = failure.Message });
        _confirmed = false;
        var failed = _next;
        _next = After(failed, failure);
        TimeSpan delay;
        if (failed == Step.Watch && _next is Step.List or Step.ListAnew)
        {
            // The first relist comes at once, or nearly: it is what a 410 asks for. If it bears no event before the next one, slow down.
            delay = _fruitlessLists++ == 0 && failure.RetryAfter is null ? _options.RelistJitter * _random.NextDouble() : Pause(failure);
            Log.Relisting(_log, _kind.Kind, failure.Message, delay.TotalSeconds);
            return delay;
        }

        // A stricter question follows at once, and so do the few attempts to page through before everything is asked for in one answer.
        delay = _next < failed || _pagesExpired ? TimeSpan.Zero : Pause(failure);
        _pagesExpired = false;
        Log.Failed(_log, _kind.Kind, failure.Message, delay.TotalSeconds);
        _inTrouble = true;
        return delay;
    }

    private Step After(Step failed, ApiFailureException failure)
    {
        if (failed == Step.ListAnew || failure.Remedy == Remedy.Resume)
            return failed;
        if (failure.Remedy == Remedy.RelistAnew)
            return Step.ListAnew;
        if (failed != Step.Watch)
            return failure.Remedy == Remedy.Unwell && failure.Status != System.Net.HttpStatusCode.GatewayTimeout ? failed : Step.ListAnew;
        // A list that was fruitless may have come from a cache that is behind.
        var list = _fruitlessLists == 0 ? Step.List : Step.ListAnew;
        if (failure.Remedy == Remedy.Relist)
            return list;
        var refused = failure is { Remedy: Remedy.Doubt, Status: not null };
        if (!refused && _fruitlessLists == 0 && ++_doubts < _options.DoubtsBeforeRelist)
            return Step.Watch;
        // A server that is sick as a whole fails the check as well; lists are for one whose watches alone fail.
        if (_fruitlessLists > 0 || _checkedInVain)
            return list;
        _checkedInVain = true;
        return Step.Check;
    }

    /// <summary>What was already spent on listening to silence counts.</summary>
    private TimeSpan Pause(ApiFailureException failure)
    {
        var pause = _backoff.Next(failure.RetryAfter) - (failure.Silence ?? TimeSpan.Zero);
        return pause > TimeSpan.Zero ? pause : TimeSpan.Zero;
    }

    /// <summary>The server speaks sense: an event or bookmark was taken, or a watch lasted.</summary>
    private void Progressed()
    {
        _backoff.Reset();
        _doubts = 0;
        _checkedInVain = false;
        _fruitlessLists = 0;
    }

    /// <summary>What was logged as trouble must be seen to end.</summary>
    private void Answered()
    {
        if (_inTrouble)
            Log.Recovered(_log, _kind.Kind);
        _inTrouble = false;
    }

    private static partial class Log
    {
        [LoggerMessage(4001, LogLevel.Information,
            "{Kind}: listed {Count} objects at resourceVersion {Version}, {Undecodable} undecodable")]
        public static partial void Listed(ILogger logger, string kind, int count, string version, int undecodable);

        [LoggerMessage(4002, LogLevel.Warning, "{Kind}: {Cause}; retrying in {Seconds:0.0} s")]
        public static partial void Failed(ILogger logger, string kind, string cause, double seconds);

        [LoggerMessage(4003, LogLevel.Information, "{Kind}: {Cause}; listing again in {Seconds:0.0} s")]
        public static partial void Relisting(ILogger logger, string kind, string cause, double seconds);

        [LoggerMessage(4004, LogLevel.Warning, "{Kind} {Name} cannot be decoded: {Cause}")]
        public static partial void Undecodable(ILogger logger, string kind, string name, string cause);

        [LoggerMessage(4005, LogLevel.Debug, "{Kind}: watching from resourceVersion {Version}")]
        public static partial void Watching(ILogger logger, string kind, string version);

        [LoggerMessage(4006, LogLevel.Information, "{Kind}: API server reachable again")]
        public static partial void Recovered(ILogger logger, string kind);

        [LoggerMessage(4007, LogLevel.Debug,
            "{Kind}: no watch event for {Seconds:0} s; comparing resourceVersion {Version} with the server")]
        public static partial void Quiet(ILogger logger, string kind, double seconds, string version);
    }
}
