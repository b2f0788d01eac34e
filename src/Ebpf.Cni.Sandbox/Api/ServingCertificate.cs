using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Ebpf.Cni.Sandbox.Api;

/// <summary>What the API shows to pods, which reach it on their node's loopback: its own authority, and gone with the process.</summary>
internal static class ServingCertificate
{
    private static readonly TimeSpan Validity = TimeSpan.FromDays(30);

    public static X509Certificate2 Create()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=ebpf-cni-sandbox", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        var now = TimeProvider.System.GetUtcNow(); // whatever time the sandbox plays, who checks this has the machine's
        return request.CreateSelfSigned(now - TimeSpan.FromHours(1), now + Validity);
    }
}
