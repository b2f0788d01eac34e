using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>Whom to believe to be the API server: a given CA, the system's CAs, or (insecure-skip-tls-verify) anyone.</summary>
internal sealed class ServerTrust
{
    public static readonly ServerTrust Anything = new(null, skip: true);
    private readonly X509Certificate2Collection? _roots;
    private readonly bool _skip;

    private ServerTrust(X509Certificate2Collection? roots, bool skip)
    {
        _roots = roots;
        _skip = skip;
    }

    public static ServerTrust Of(X509Certificate2Collection? roots) => new(roots is { Count: > 0 } ? roots : null, skip: false);

    public void ApplyTo(SslClientAuthenticationOptions options)
    {
        if (_skip)
        {
#pragma warning disable CA5359 // The kubeconfig asks for exactly this.
            options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (_roots is not null)
        {
            // Name and validity stay checked; only the roots are ours. Cluster CAs publish no revocation lists.
            options.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            options.CertificateChainPolicy.CustomTrustStore.AddRange(_roots);
        }
    }
}
