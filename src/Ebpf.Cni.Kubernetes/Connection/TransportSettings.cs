using System.Security.Cryptography.X509Certificates;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>What connections to the API server are made with.</summary>
/// <param name="Trust">Whom to believe to be the server.</param>
/// <param name="TlsServerName">The name that its certificate must have; null: the address's.</param>
/// <param name="ClientCertificate">With its key; null: none.</param>
/// <param name="Credentials">The Authorization header of each request.</param>
internal sealed record TransportSettings(
    ServerTrust Trust, string? TlsServerName, X509Certificate2? ClientCertificate, Credentials Credentials);
