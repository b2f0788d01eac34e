using System.Net.Http.Headers;
using k8s.Authentication;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>What goes into the Authorization header.</summary>
internal abstract class Credentials
{
    public abstract ValueTask<AuthenticationHeaderValue?> GetAsync(CancellationToken ct);

    /// <summary>The server said 401: whatever is cached is stale.</summary>
    public virtual void Rejected() { }
}

internal sealed class FixedCredentials(AuthenticationHeaderValue? header) : Credentials
{
    public override ValueTask<AuthenticationHeaderValue?> GetAsync(CancellationToken ct) => new(header);
}

/// <summary>An exec plugin's token, asked for again when it expires or is refused.</summary>
/// <param name="start">A provider that knows no token yet.</param>
internal sealed class PluginCredentials(Func<ITokenProvider> start) : Credentials
{
    private volatile ITokenProvider _provider = start();

    public override async ValueTask<AuthenticationHeaderValue?> GetAsync(CancellationToken ct)
    {
        try
        {
            return await _provider.GetAuthenticationHeaderAsync(ct).ConfigureAwait(false);
        }
        // What the plugin's output provokes in the library, or the system when it is started.
        catch (Exception e) when (e is not (OutOfMemoryException or OperationCanceledException))
        {
            throw new HttpRequestException($"the kubeconfig's credential plugin failed: {e.Message}", e);
        }
    }

    public override void Rejected() => _provider = start();
}

/// <summary>
/// A bound service account token. The kubelet rotates the file at 80 % of its life (10 minutes at least), so reading it again each minute,
/// and at once after a 401, always presents a live one. A file that cannot be read for a moment leaves the last token in use.
/// </summary>
internal sealed class TokenFile(string path, TimeProvider time) : Credentials
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(1);
    private readonly Lock _gate = new();
    private AuthenticationHeaderValue? _header;
    private long _readAt;

    public override ValueTask<AuthenticationHeaderValue?> GetAsync(CancellationToken ct)
    {
        lock (_gate)
        {
            if (_header is null || time.GetElapsedTime(_readAt) >= MaxAge)
            {
                try
                {
                    Read();
                }
                catch (KubernetesConnectionException) when (_header is not null)
                {
                    _readAt = time.GetTimestamp();
                }
            }

            return new ValueTask<AuthenticationHeaderValue?>(_header);
        }
    }

    public override void Rejected()
    {
        lock (_gate)
            _readAt = time.GetTimestamp() - (long)(MaxAge.TotalSeconds * time.TimestampFrequency);
    }

    /// <exception cref="KubernetesConnectionException">The file is missing, unreadable or empty.</exception>
    public void Read()
    {
        string token;
        try
        {
            token = File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KubernetesConnectionException($"the service account's token {path} cannot be read: {e.Message}", e);
        }

        if (token.Length == 0)
            throw new KubernetesConnectionException($"the service account's token {path} is empty");
        _header = new AuthenticationHeaderValue("Bearer", token);
        _readAt = time.GetTimestamp();
    }
}
