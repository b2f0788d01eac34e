using System.Net;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>
/// Sends over connections that are made with what the files say now. The files are looked at each minute and
/// after every refusal that they may explain (401, or no connection: a server whose certificate is not trusted,
/// or that hangs up on ours); if they changed, new connections are made and the request is sent once more.
/// Watches on the old connections go on until they end, which the server was asked to see to within minutes.
/// </summary>
internal sealed class RenewingHandler : HttpMessageHandler
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    private readonly TransportSource _source;
    private readonly Func<TransportSettings, HttpMessageHandler> _connect;
    private readonly ITimer _timer;
    private readonly Lock _gate = new();
    private readonly List<HttpMessageInvoker> _retired = [];
    private byte[]? _digest;
    private volatile HttpMessageInvoker _current;

    /// <exception cref="KubernetesConnectionException">The files cannot be used.</exception>
    public RenewingHandler(TransportSource source, Func<TransportSettings, HttpMessageHandler> connect, TimeProvider time)
    {
        (_source, _connect) = (source, connect);
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
            DisposeRetired();
            _current.Dispose();
        }

        base.Dispose(disposing);
    }

    private void LookAfter()
    {
        // Those of a period ago: no request begins on them any more. Answers that are being read are not cut off by this.
        DisposeRetired();
        IsRenewed(_current);
    }

    private void DisposeRetired()
    {
        lock (_gate)
        {
            foreach (var transport in _retired)
                transport.Dispose();
            _retired.Clear();
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
            _retired.Add(transport);
            return true;
        }
    }
}
