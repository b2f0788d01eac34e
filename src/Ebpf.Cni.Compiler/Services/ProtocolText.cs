using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>Protocols as v1 and discovery.k8s.io/v1 name them.</summary>
public static class ProtocolText
{
    /// <summary>TCP, UDP, SCTP, ICMP, ICMPv6; others by number.</summary>
    public static string Of(IpProtocol protocol) => protocol switch
    {
        IpProtocol.IcmpV6 => "ICMPv6",
        _ => protocol.ToString().ToUpperInvariant(),
    };


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
