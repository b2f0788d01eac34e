using System.Globalization;
using System.Net;
using Ebpf.Cni.Kubernetes.Decoding;

namespace Ebpf.Cni.Kubernetes.Watching;

internal sealed partial class Reflector<T>
{
    /// <summary>After so many lists whose continue token expired midway, ask for everything at once: a slow list must end some time.</summary>
    private const int ExpiredListsBeforeUnpaged = 2;

    /// <exception cref="ApiFailureException">The list is not complete; nothing was changed.</exception>
    private async Task ListAsync(CancellationToken ct)
    {
        var items = new List<Decoded<T>>();
        string? version = null;
        string? token = null;
        do
        {
            var (page, pageItems) = await PageAsync(token, ct).ConfigureAwait(false);
            foreach (var item in pageItems)
                items.Add(Settle(item));
            // All pages are of the first one's moment. Should a server disagree, the earlier version only repeats events.
            version ??= page.Version;
            if (token is not null && page.Continue == token)
                throw new ApiFailureException("the list's continue token leads to itself", Remedy.ResumeThenRelist);
            token = page.Continue;
        }
        while (token is not null);

        _sink.Replace(items);
        _version = version;
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

    /// <summary>An object held in this very version gives way to the instance held, so that a relist costs no second cluster in memory.</summary>
    private Decoded<T> Settle(in Decoded<T> item)
    {
        if (item.Error is not null)
            Log.Undecodable(_log, _kind.Kind, item.HasName ? item.Name.ToString() : "(nameless)", item.Error);
        return item.Value is not null && _sink.Find(item.Name, item.Version) is { } held ? item with { Value = held } : item;
    }

    /// <summary>One page; passing trouble is met here, because starting the list over would double the load of a server in trouble.</summary>
    private async Task<(ListPage Page, List<Decoded<T>> Items)> PageAsync(string? token, CancellationToken ct)
    {
        var path = PagePath(token);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await _api.GetAsync(
                    path, _options.ResponseSilence, (body, guard) => ReadPageAsync(body, guard), ct).ConfigureAwait(false);
            }
            catch (ApiFailureException e) when (e.Status == HttpStatusCode.Gone)
            {
                _expiredPages++;
                throw;
            }
            catch (ApiFailureException e) when (e.Remedy == Remedy.Resume && token is not null && attempt < _options.AttemptsPerPage)
            {
                _status.Change(s => s with { Errors = s.Errors + 1, LastError = e.Message });
                var pause = _backoff.Next(e.RetryAfter);
                Log.Failed(_log, _kind.Kind, e.Message, pause.TotalSeconds);
                await Task.Delay(pause, _time, ct).ConfigureAwait(false);
            }
        }
    }

    private Task<(ListPage Page, List<Decoded<T>> Items)> ReadPageAsync(Stream body, SilenceGuard guard) =>
        new ListPageReader<T>(_kind).ReadAsync(body, () => Heard(guard), guard.Token);

    private string PagePath(string? token)
    {
        if (token is null && _expiredPages >= ExpiredListsBeforeUnpaged)
            return _kind.Path;
        var path = string.Create(CultureInfo.InvariantCulture, $"{_kind.Path}?limit={_options.PageSize}");
        return token is null ? path : $"{path}&continue={Uri.EscapeDataString(token)}";
    }

    private void Heard(SilenceGuard guard)
    {
        guard.Heard();
        _status.Heard();
    }
}
