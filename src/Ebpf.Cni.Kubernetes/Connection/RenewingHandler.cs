using System.Net;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>
/// Sends over connections that are made with what the files say now. The files are looked at each minute and after every refusal that they may
/// explain (401, or no connection: a server whose certificate is not trusted, or that hangs up on ours); if they changed, new connections are made
/// and the request is sent once more. Watches on the old connections go on until they end by themselves, for a bounded time.
/// </summary>
internal sealed class RenewingHandler : HttpMessageHandler
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    /// <summary>Longer than any watch.</summary>
    private static readonly TimeSpan Retirement = TimeSpan.FromMinutes(15);

    private readonly TransportSource _source;
    private readonly Func<TransportSettings, HttpMessageHandler> _connect;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly Lock _gate = new();
    private readonly List<(HttpMessageInvoker Transport, long Since)> _retired = [];
    private byte[]? _digest;
    private volatile HttpMessageInvoker _current;

    /// <exception cref="KubernetesConnectionException">The files cannot be used.</exception>
    public RenewingHandler(TransportSource source, Func<TransportSettings, HttpMessageHandler> connect, TimeProvider time)
    {
        (_source, _connect, _time) = (source, connect, time);
        _digest = source.Digest();
        _current = new HttpMessageInvoker(connect(source.Read()));
        _timer = time.CreateTimer(_ => LookAfter(), null, Period, Period);
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var transport = _current;
        try
        {
            var response = await transport.SendAsync(request, cancellationToken).ConfigureAwait(false);
            if (response.StatusCode != HttpStatusCode.Unauthorized || !IsRenewed(transport))
                return response;
            response.Dispose();
        }
        catch (HttpRequestException) when (IsRenewed(transport))
        {
        }

        return await _current.SendAsync(request, cancellationToken).ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _timer.Dispose();
            lock (_gate)
            {
                _current.Dispose();
                foreach (var (transport, _) in _retired)
                    transport.Dispose();
                _retired.Clear();
            }
        }

        base.Dispose(disposing);
    }

    private void LookAfter()
    {
        IsRenewed(_current);
        lock (_gate)
        {
            _retired.RemoveAll(r =>
            {
                var over = _time.GetElapsedTime(r.Since) >= Retirement;
                if (over)
                    r.Transport.Dispose();
                return over;
            });
        }
    }

    /// <summary>Whether there are newer connections than these, after another look at the files.</summary>
    private bool IsRenewed(HttpMessageInvoker transport)
    {
        lock (_gate)
        {
            if (!ReferenceEquals(transport, _current))
                return true;
            var digest = _source.Digest();
            if (digest is null || digest.AsSpan().SequenceEqual(_digest))
                return false;
            try
            {
                _current = new HttpMessageInvoker(_connect(_source.Read()));
            }
            catch (KubernetesConnectionException)
            {
                // In the middle of being replaced (a certificate without its key): the next look finds both.
                return false;
            }

            _digest = digest;
            _retired.Add((transport, _time.GetTimestamp()));
            return true;
        }
    }
}
