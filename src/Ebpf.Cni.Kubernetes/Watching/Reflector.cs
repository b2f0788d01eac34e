using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Kubernetes.Store;
using Microsoft.Extensions.Logging;

namespace Ebpf.Cni.Kubernetes.Watching;

/// <summary>
/// Keeps one kind's objects as the API server has them: a paged list, then a watch from its version, resumed as often as it ends.
/// <para>
/// Every list is a consistent one (no resourceVersion, that is: not "any cached state" as resourceVersion=0 allows). It costs the server more, but
/// a stale cache of one of several API servers would show an older cluster after a restart, and removing what is missing there would cut live services.
/// </para>
/// <para>
/// A failure never touches the store. What removes an object is its own DELETED event, or a complete list without it.
/// </para>
/// </summary>
internal sealed partial class Reflector<T>
    where T : class
{
    private static readonly TimeSpan ShortWatch = TimeSpan.FromSeconds(1);
    private readonly ResourceKind<T> _kind;
    private readonly IObjectSink<T> _sink;
    private readonly ApiReader _api;
    private readonly WatchOptions _options;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly ILogger _log;
    private readonly ReflectorStatus _status;
    private readonly Backoff _backoff;
    private string? _version;
    private bool _bookmarksSeen;
    private bool _inTrouble;
    private int _doubts;
    private int _expiredPages;
    private int _fruitlessRelists;

    public Reflector(
        ResourceKind<T> kind, IObjectSink<T> sink, ApiReader api, WatchOptions options, TimeProvider time, Random random, ILogger log)
    {
        (_kind, _sink, _api, _options, _time, _random, _log) = (kind, sink, api, options, time, random, log);
        _status = new ReflectorStatus(kind.Kind, time);
        _backoff = new Backoff(options.FirstBackoff, options.LongestBackoff, random);
    }

    public ReflectorState State => _status.Read() with { Objects = _sink.Count };

    /// <summary>Runs until cancelled. Any other exception is a bug.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            var wait = TimeSpan.Zero;
            try
            {
                if (_version is null)
                    await ListAsync(ct).ConfigureAwait(false);
                if (!await WatchAsync(ct).ConfigureAwait(false))
                    wait = _backoff.Next(); // ended at once and brought nothing: do not hammer
            }
            catch (ApiFailureException e)
            {
                wait = Failed(e);
            }

            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, _time, ct).ConfigureAwait(false);
        }
    }

    /// <summary>Decides where to go on from, and how long to wait before.</summary>
    private TimeSpan Failed(ApiFailureException failure)
    {
        if (failure.Silence == _options.BookmarkSilence && _status.Read().Connected)
            return Quiet(failure);
        _doubts = failure.Remedy == Remedy.ResumeThenRelist ? _doubts + 1 : 0;
        var relist = _version is not null && (failure.Remedy == Remedy.Relist || _doubts >= _options.DoubtsBeforeRelist);
        _status.Change(s => s with { Connected = false, Errors = s.Errors + 1, LastError = failure.Message });
        if (!relist)
        {
            var pause = _backoff.Next(failure.RetryAfter);
            Log.Failed(_log, _kind.Kind, failure.Message, pause.TotalSeconds);
            _inTrouble = true;
            return pause;
        }

        _version = null;
        _doubts = 0;
        // The first relist comes at once: it is what a 410 asks for. If it bears no event before the next one, slow down.
        var delay = _fruitlessRelists++ == 0 && failure.RetryAfter is null ? TimeSpan.Zero : _backoff.Next(failure.RetryAfter);
        Log.Relisting(_log, _kind.Kind, failure.Message, delay.TotalSeconds);
        return delay;
    }

    /// <summary>
    /// A watch that told nothing for as long as it may, no bookmark either: servers send none while nothing changes, so a quiet cluster's does so all the time, and one that is
    /// gone is found out by the next attempt. No error, and nothing to wait for: a change may come at any moment.
    /// </summary>
    private TimeSpan Quiet(ApiFailureException failure)
    {
        _status.Change(s => s with { Connected = false });
        Log.Quiet(_log, _kind.Kind, failure.Message);
        return TimeSpan.Zero;
    }

    /// <summary>The server speaks sense: an event or bookmark was taken, or a watch lasted.</summary>
    private void Progressed()
    {
        _backoff.Reset();
        _doubts = 0;
        _fruitlessRelists = 0;
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
        [LoggerMessage(4001, LogLevel.Information, "{Kind}: listed {Count} objects at version {Version}, {Undecodable} of them undecodable")]
        public static partial void Listed(ILogger logger, string kind, int count, string version, int undecodable);

        [LoggerMessage(4002, LogLevel.Warning, "{Kind}: {Cause}; next attempt in {Seconds:0.0} s")]
        public static partial void Failed(ILogger logger, string kind, string cause, double seconds);

        [LoggerMessage(4003, LogLevel.Information, "{Kind}: {Cause}; listing again in {Seconds:0.0} s")]
        public static partial void Relisting(ILogger logger, string kind, string cause, double seconds);

        [LoggerMessage(4004, LogLevel.Warning, "{Kind} {Name}: cannot be decoded: {Cause}")]
        public static partial void Undecodable(ILogger logger, string kind, string name, string cause);

        [LoggerMessage(4005, LogLevel.Debug, "{Kind}: watching from version {Version}")]
        public static partial void Watching(ILogger logger, string kind, string version);

        [LoggerMessage(4007, LogLevel.Debug, "{Kind}: {Cause}; watching anew")]
        public static partial void Quiet(ILogger logger, string kind, string cause);

        [LoggerMessage(4006, LogLevel.Information, "{Kind}: the API answers again")]
        public static partial void Recovered(ILogger logger, string kind);
    }
}
