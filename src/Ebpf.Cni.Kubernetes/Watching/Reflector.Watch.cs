using System.Buffers;
using System.Text.Json;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Kubernetes.Decoding.Wire;
using Ebpf.Cni.Kubernetes.Store;

namespace Ebpf.Cni.Kubernetes.Watching;

internal sealed partial class Reflector<T>
{
    /// <summary>One watch, from the last version to its end, and how long to wait after it.</summary>
    /// <exception cref="ApiFailureException">It broke, or ended at once. Events before that are in the store.</exception>
    private async Task<TimeSpan> WatchAsync(CancellationToken ct)
    {
        var timeout = _options.WatchTimeout * (1 + _random.NextDouble());
        var started = _time.GetTimestamp();
        var lines = 0;
        var unfinished = false;
        // From a version of the future a watch is silent for ever; and where nothing is known, silence is no proof that there is nothing.
        var unconfirmed = !_confirmed;
        bool IsDoubtful() => (unconfirmed && lines == 0) || _sink.Count == 0;
        TimeSpan Patience() => unfinished ? _options.ResponseSilence : IsDoubtful() ? _options.DoubtfulSilence : LongestSilence(timeout);
        Log.Watching(_log, _kind.Kind, _version!);
        try
        {
            await _api.GetAsync(_paths.Watch(_version!, timeout), _options.ResponseSilence, async (body, guard) =>
            {
                _status.Change(static s => s with { Connected = true, LastError = null });
                Answered();
                // Re-armed with the watch's own patience: bookmarks make silence
                // conspicuous, without them only the end that was asked for does.
                guard.Limit = Patience();
                guard.Heard();
                _status.Heard();
                await WatchLineReader.ReadAsync(
                    body,
                    (in ReadOnlySequence<byte> line) =>
                    {
                        var goOn = Take(WatchEvent.Parse(_events.Prune(line)));
                        lines++;
                        unfinished = false;
                        guard.Limit = Patience();
                        guard.Heard();
                        return goOn;
                    },
                    (bytes, rest) =>
                    {
                        _status.Heard();
                        unfinished = rest;
                        guard.Limit = Patience();
                        guard.Heard(bytes);
                    },
                    guard.Token).ConfigureAwait(false);
                return true;
            }, ct).ConfigureAwait(false);
        }
        catch (ApiFailureException e) when (IsQuiet(e, unfinished, IsDoubtful()))
        {
            _status.Change(static s => s with { Connected = false });
            Log.Quiet(_log, _kind.Kind, e.Silence!.Value.TotalSeconds, _version!);
            _next = Step.Check;
            return TimeSpan.Zero;
        }

        _status.Change(static s => s with { Connected = false });
        if (_time.GetElapsedTime(started) >= ShortWatch)
        {
            Progressed();
            return TimeSpan.Zero;
        }

        if (lines == 0)
            throw new ApiFailureException("the server closes the watch immediately", Remedy.Doubt);
        // A server that has a word to say each time and hangs up is not hammered either.
        return _options.FirstBackoff * (0.5 + (_random.NextDouble() / 2));
    }

    private TimeSpan LongestSilence(TimeSpan timeout)
    {
        var atMost = timeout + _options.WatchGrace;
        return _bookmarksSeen && _options.BookmarkSilence < atMost ? _options.BookmarkSilence : atMost;
    }

    /// <summary>The silence of an open watch from which nothing need have been heard yet: in a quiet cluster it is no failure.</summary>
    private bool IsQuiet(ApiFailureException failure, bool unfinished, bool doubtful) =>
        failure.Silence is { } silence && !unfinished && _status.Read().Connected
        && ((doubtful && silence == _options.DoubtfulSilence) || (_bookmarksSeen && silence == _options.BookmarkSilence));

    /// <returns>False: the watch is over, because a list is to follow.</returns>
    private bool Take(in WatchEvent e)
    {
        switch (e.Type)
        {
            case WatchEventType.Bookmark:
                TakeBookmark(e.Object);
                break;
            case WatchEventType.Error:
                throw Refusal(e.Object);
            case WatchEventType.Deleted:
                TakeDeletion(_kind.DecodeMeta(e.Object, null));
                break;
            default:
                TakeObject(_kind.Decode(e.Object));
                break;
        }

        Progressed();
        if (e.Type == WatchEventType.Bookmark || !_listedEmpty)
            return true;
        _next = Step.ListAnew;
        return false;
    }

    private void TakeObject(in Decoded<T> item)
    {
        if (item.Error is { } error)
        {
            Log.Undecodable(_log, _kind.Kind, item.HasName ? item.Name.ToString() : "(nameless)", error);
            _status.Change(static s => s with { Undecodable = s.Undecodable + 1 });
        }

        Believe(item, "changed");
        // Unknown, yet not newer than what was already heard: an event from before its deletion.
        var replayed = !_sink.Contains(item.Name) && item.Error is null
            && (item.Version == _version || ResourceVersions.IsOlder(item.Version, _version!));
        if (replayed || _sink.Upsert(item) == Freshness.Stale)
            throw Backwards(item.Name.ToString(), item.Version);
        Advance(item.Version);
    }

    private void TakeDeletion(in Decoded<T> item)
    {
        if (!item.HasName)
            _status.Change(static s => s with { Undecodable = s.Undecodable + 1 });
        Believe(item, "was deleted");
        if (_sink.Remove(item.Name, item.Version) == Freshness.Stale)
            throw Backwards(item.Name.ToString(), item.Version);
        Advance(item.Version);
    }

    /// <summary>An event without a name or a usable resourceVersion: only a list can tell the state.</summary>
    private void Believe(in Decoded<T> item, string what)
    {
        if (!item.HasName)
            throw new ApiFailureException($"an object without a readable name {what}: {item.Error}", Remedy.Relist);
        if (ResourceVersions.IsOdd(item.Version, _version))
            throw new ApiFailureException($"{item.Name} {what} at the invalid resourceVersion '{item.Version}'", Remedy.Relist);
    }

    private void TakeBookmark(in ReadOnlySequence<byte> json)
    {
        var wire = WireReader.Read(json, WireJson.Default.MetaOnlyWire);
        var version = wire?.Metadata?.ResourceVersion ?? "";
        if (ResourceVersions.IsOdd(version, _version) || (wire!.Kind is { } kind && kind != _kind.Kind))
            throw new JsonException($"a bookmark of kind '{wire?.Kind}' has version '{version}'");
        if (ResourceVersions.IsOlder(version, _version!))
            throw Backwards("bookmark", version);
        _bookmarksSeen = true;
        MoveOn(version);
        _status.Change(s => s with { Bookmarks = s.Bookmarks + 1, ResourceVersion = version });
    }

    private void Advance(string version)
    {
        if (!ResourceVersions.IsOlder(version, _version!))
            MoveOn(version);
        _status.Change(s => s with { Events = s.Events + 1, ResourceVersion = _version });
    }

    /// <summary>The version is one answer's word, until a check confirms it.</summary>
    private void MoveOn(string version)
    {
        _confirmed &= version == _version;
        _version = version;
    }

    /// <summary>
    /// A server does not go back in time, unless etcd was restored from a backup: then every later event would seem old, and following the
    /// watch would be blindness. The event is not applied; a list restores the state.
    /// </summary>
    private ApiFailureException Backwards(string what, string version)
    {
        _status.Change(static s => s with { StaleEvents = s.StaleEvents + 1 });
        return new ApiFailureException($"{what}: resourceVersion {version} is older than the cached one", Remedy.RelistAnew);
    }

    private static ApiFailureException Refusal(in ReadOnlySequence<byte> json)
    {
        var status = WireReader.Read(json, WireJson.Default.StatusWire);
        var code = status?.Code ?? 0;
        return new ApiFailureException(
            $"the watch ended with an error: {code} {status?.Reason} {status?.Message}",
            ApiFailureException.RemedyFor(code, status?.Reason, status?.Message, status?.Causes));
    }
}
