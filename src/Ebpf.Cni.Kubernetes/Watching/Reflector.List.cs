using System.Net;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Kubernetes.Store;

namespace Ebpf.Cni.Kubernetes.Watching;

internal sealed partial class Reflector<T>
{
    /// <summary>
    /// After so many lists whose continue token expired midway, ask for everything at once: a slow list must end some time.
    /// </summary>
    private const int ExpiredListsBeforeUnpaged = 2;

    /// <summary>Characters; a request line has its limits.</summary>
    private const int LongestToken = 16 << 10;

    /// <summary>When the list began to be empty although objects are held; null: it is not.</summary>
    private long? _emptySince;

    /// <summary>
    /// The last list was empty. No kind that is watched is ever empty in a whole cluster, so the first event leads to a list.
    /// </summary>
    private bool _listedEmpty;

    /// <exception cref="ApiFailureException">The list is not complete, or not to be believed; nothing was changed.</exception>
    private async Task ListAsync(CancellationToken ct)
    {
        var floor = _next == Step.List ? _version : null;
        var items = new List<Decoded<T>>();
        string? version = null;
        string? token = null;
        do
        {
            var (page, pageItems) = await PageAsync(floor, token, ct).ConfigureAwait(false);
            foreach (var item in pageItems)
                items.Add(Settle(item));
            // All pages are of the first one's moment. A server that disagrees is asked for everything in one answer.
            version ??= page.Version;
            if (page.Version != version)
            {
                _expiredPages = ExpiredListsBeforeUnpaged;
                throw new ApiFailureException($"the list's pages differ in resourceVersion: {version} and {page.Version}", Remedy.Doubt);
            }

            if (page.Continue is { Length: > LongestToken } || (token is not null && page.Continue == token))
                throw new ApiFailureException("the list's continue token repeats or never ends", Remedy.Doubt);
            token = page.Continue;
        }
        while (token is not null);

        Judge(version, floor, items.Count);
        _sink.Replace(items);
        _version = version;
        _confirmed = false;
        _expiredPages = 0;
        var undecodable = items.Count(static i => i.Error is not null);
        _status.Change(s => s with
        {
            Synced = true,
            Lists = s.Lists + 1,
            Undecodable = s.Undecodable + undecodable,
            ResourceVersion = version,
            LastError = null,
        });
        Log.Listed(_log, _kind.Kind, items.Count, version, undecodable);
    }

    /// <summary>
    /// Whether a complete list may replace what is known. An empty one must
    /// insist for a while: the objects that it lacks are live services.
    /// </summary>
    private void Judge(string version, string? floor, int count)
    {
        if (ResourceVersions.IsOdd(version, _version))
            throw new ApiFailureException($"the list's resourceVersion '{version}' is invalid", Remedy.Doubt);
        if (floor is not null && ResourceVersions.IsOlder(version, floor))
            throw new ApiFailureException($"the list's resourceVersion {version} is older than the required {floor}", Remedy.RelistAnew);
        _listedEmpty = count == 0;
        if (count > 0 || _sink.Count == 0)
        {
            _emptySince = null;
            return;
        }

        _emptySince ??= _time.GetTimestamp();
        if (_time.GetElapsedTime(_emptySince.Value) < _options.EmptyListDoubt)
            throw new ApiFailureException($"the list is empty, {_sink.Count} objects are cached", Remedy.Doubt);
    }

    /// <summary>Asks whether the server knows the version that the next watch is to go on from.</summary>
    /// <exception cref="ApiFailureException">It does not, or the answer is inconclusive.</exception>
    private async Task CheckAsync(CancellationToken ct)
    {
        var (page, items) = await _api.GetAsync(_paths.Check(_version!), _options.ResponseSilence, ReadPageAsync, ct).ConfigureAwait(false);
        if (ResourceVersions.IsOdd(page.Version, _version) || ResourceVersions.IsOlder(page.Version, _version!))
            throw new ApiFailureException($"the server is at resourceVersion {page.Version}, the cache at {_version}", Remedy.RelistAnew);
        if (_sink.Count == 0 && items.Count > 0)
            throw new ApiFailureException("the server has objects, the cache has none", Remedy.RelistAnew);
        _confirmed = true;
    }

    /// <summary>
    /// An object held in this very version gives way to the instance held, so that a relist costs no second cluster in memory.
    /// </summary>
    private Decoded<T> Settle(in Decoded<T> item)
    {
        if (item.Error is not null)
            Log.Undecodable(_log, _kind.Kind, item.HasName ? item.Name.ToString() : "(nameless)", item.Error);
        return item.Value is not null && _sink.Find(item.Name, item.Version) is { } held ? item with { Value = held } : item;
    }

    /// <summary>
    /// One page; passing trouble is met here, because starting the list over would double the load of a server in trouble.
    /// </summary>
    private async Task<(ListPage Page, List<Decoded<T>> Items)> PageAsync(string? floor, string? token, CancellationToken ct)
    {
        var path = PagePath(floor, token);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await _api.GetAsync(path, _options.ResponseSilence, ReadPageAsync, ct).ConfigureAwait(false);
            }
            catch (ApiFailureException e) when (token is not null && e.Status == HttpStatusCode.Gone)
            {
                _pagesExpired = _expiredPages++ < ExpiredListsBeforeUnpaged;
                throw;
            }
            catch (ApiFailureException e) when (e.Remedy is Remedy.Resume or Remedy.Unwell
                && token is not null && attempt < _options.AttemptsPerPage)
            {
                _status.Change(s => s with { Errors = s.Errors + 1, LastError = e.Message });
                var pause = Pause(e);
                Log.Failed(_log, _kind.Kind, e.Message, pause.TotalSeconds);
                await Task.Delay(pause, _time, ct).ConfigureAwait(false);
            }
        }
    }

    private Task<(ListPage Page, List<Decoded<T>> Items)> ReadPageAsync(Stream body, SilenceGuard guard) =>
        new ListPageReader<T>(_kind, _elements).ReadAsync(
            body,
            bytes =>
            {
                guard.Heard(bytes);
                _status.Heard();
            },
            guard.Token);

    private string PagePath(string? floor, string? token) => (floor, token) switch
    {
        (_, not null) => _paths.Page(_options.PageSize, token),
        (not null, _) => _paths.NotOlderThan(floor),
        _ when _expiredPages >= ExpiredListsBeforeUnpaged => _paths.Everything(),
        _ => _paths.Page(_options.PageSize, null),
    };
}
