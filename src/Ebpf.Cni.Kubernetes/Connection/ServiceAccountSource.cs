using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>
/// A pod's mounted service account: ca.crt, which the kubelet replaces when
/// the cluster's CA is rotated, and the token, which has its own pace.
/// </summary>
internal sealed class ServiceAccountSource(string directory, TimeProvider time) : TransportSource
{
    private readonly string _ca = Path.Combine(directory, "ca.crt");
    private readonly TokenFile _token = new(Path.Combine(directory, "token"), time);

    public override TransportSettings Read()
    {
        var roots = new X509Certificate2Collection();
        try
        {
            roots.ImportFromPemFile(_ca);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new KubernetesConnectionException($"the cluster's CA {_ca} cannot be read: {e.Message}", e);
        }

        if (roots.Count == 0)
            throw new KubernetesConnectionException($"{_ca} holds no certificate");
        _token.Read(); // a missing token fails at start, not at the first request
        return new TransportSettings(ServerTrust.Of(roots), null, null, _token);
    }

    protected override IEnumerable<string> Files() => [_ca];
}
