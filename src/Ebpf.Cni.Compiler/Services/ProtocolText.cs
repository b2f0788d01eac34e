using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>Protocols as v1 and discovery.k8s.io/v1 name them.</summary>
internal static class ProtocolText
{
    /// <summary>An empty protocol is TCP, the API's default.</summary>
    public static bool TryParse(string? text, out IpProtocol protocol)
    {
        protocol = text switch
        {
            null or "" or "TCP" => IpProtocol.Tcp,
            "UDP" => IpProtocol.Udp,
            "SCTP" => IpProtocol.Sctp,
            _ => 0,
        };
        return protocol != 0;
    }
}
