using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Kubernetes.Decoding.Wire;
using Ebpf.Cni.Kubernetes.Store;

namespace Ebpf.Cni.Kubernetes.Watching;

internal sealed partial class Reflector<T>
{
    /// <summary>One watch, from the last version to its end; false: it ended at once and brought nothing.</summary>
    /// <exception cref="ApiFailureException">It broke. Events before that are in the store.</exception>
    private async Task<bool> WatchAsync(CancellationToken ct)
    {
        var timeout = _options.WatchTimeout * (1 + _random.NextDouble());
        var path = string.Create(
            CultureInfo.InvariantCulture,
            $"{_kind.Path}?watch=1&allowWatchBookmarks=true&timeoutSeconds={Math.Max(1, (int)timeout.TotalSeconds)}&resourceVersion={Uri.EscapeDataString(_version!)}");
        var started = _time.GetTimestamp();
        var fruitful = false;
        Log.Watching(_log, _kind.Kind, _version!);
        await _api.GetAsync(path, _options.ResponseSilence, async (body, guard) =>
        {
            _status.Change(s => s with { Connected = true, LastError = null });
            Answered();
            // Re-armed with the watch's own patience: bookmarks make silence conspicuous, without them only the end that was asked for does.
            guard.Limit = Patience(timeout);
            Heard(guard);
            await WatchLineReader.ReadAsync(
                body,
                (in ReadOnlySequence<byte> line) =>
                {
                    Take(WatchEvent.Parse(line));
                    guard.Limit = Patience(timeout);
                    fruitful = true;
                    return true;
                },
                () => Heard(guard),
                guard.Token).ConfigureAwait(false);
            return true;
        }, ct).ConfigureAwait(false);

        _status.Change(s => s with { Connected = false });
        if (!fruitful && _time.GetElapsedTime(started) < ShortWatch)
            return false;
        Progressed();
        return true;
    }

    private TimeSpan Patience(TimeSpan timeout)
    {
        var atMost = timeout + _options.WatchGrace;
        return _bookmarksSeen && _options.BookmarkSilence < atMost ? _options.BookmarkSilence : atMost;
    }

    private void Take(in WatchEvent e)
    {
        switch (e.Type)
        {
            case WatchEventType.Bookmark:
                TakeBookmark(e.Object);
                break;
            case WatchEventType.Error:
                throw Refusal(e.Object);
            case WatchEventType.Deleted:
                TakeDeletion(ResourceKind<T>.DecodeMeta(e.Object, null));
                break;
            default:
                TakeObject(_kind.Decode(e.Object));
                break;
        }

        Progressed();
    }

    private void TakeObject(in Decoded<T> item)
    {
        if (item.Error is { } error)
        {
            Log.Undecodable(_log, _kind.Kind, item.HasName ? item.Name.ToString() : "(nameless)", error);
            _status.Change(static s => s with { Undecodable = s.Undecodable + 1 });
            if (!item.HasName)
                return;
        }

        // Unknown, yet not newer than what was already heard: an event from before its deletion.
        var replayed = !_sink.Contains(item.Name) && item.Error is null && (item.Version == _version || ResourceVersions.IsOlder(item.Version, _version!));
        if (replayed || _sink.Upsert(item) == Freshness.Stale)
            throw Backwards(item.Name.ToString(), item.Version);
        Advance(item.Version);
    }

    private void TakeDeletion(in Decoded<T> item)
    {
        if (!item.HasName)
        {
            // Something was deleted and we cannot tell what: only a list can.
            _status.Change(static s => s with { Undecodable = s.Undecodable + 1 });
            throw new ApiFailureException($"a DELETED event without a readable name: {item.Error}", Remedy.Relist);
        }

        if (_sink.Remove(item.Name, item.Version) == Freshness.Stale)
            throw Backwards(item.Name.ToString(), item.Version);
        Advance(item.Version);
    }

    private void TakeBookmark(in ReadOnlySequence<byte> json)
    {
        var version = WireReader.Read(json, WireJson.Default.MetaOnlyWire)?.Metadata?.ResourceVersion;
        if (string.IsNullOrEmpty(version))
            throw new JsonException("a bookmark has no resourceVersion");
        if (ResourceVersions.IsOlder(version, _version!))
            throw Backwards("bookmark", version);
        _bookmarksSeen = true;
        _version = version;
        _status.Change(s => s with { Bookmarks = s.Bookmarks + 1, ResourceVersion = version });
    }

    private void Advance(string version)
    {
        if (version.Length > 0 && !ResourceVersions.IsOlder(version, _version!))
            _version = version;
        _status.Change(s => s with { Events = s.Events + 1, ResourceVersion = _version });
    }

    /// <summary>
    /// A server does not go back in time, unless etcd was restored from a backup: then every later event would seem old, and following the watch
    /// would be blindness. The event is not applied; a list tells what is true.
    /// </summary>
    private ApiFailureException Backwards(string what, string version)
    {
        _status.Change(static s => s with { StaleEvents = s.StaleEvents + 1 });
        return new ApiFailureException($"{what}: version {version} is older than what is known", Remedy.Relist);
    }

    private static ApiFailureException Refusal(in ReadOnlySequence<byte> json)
    {
        var status = WireReader.Read(json, WireJson.Default.StatusWire);
        var code = status?.Code ?? 0;
        var expired = status?.Reason is "Expired" or "Gone";
        return new ApiFailureException(
            $"the watch ended with an error: {code} {status?.Reason} {status?.Message}", expired ? Remedy.Relist : ApiFailureException.RemedyFor(code));
    }
}
