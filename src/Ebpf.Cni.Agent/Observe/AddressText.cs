using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>Entries of the tables as people write them.</summary>
internal static class AddressText
{
    /// <summary>10.0.0.1:80, [fd00::1]:80; without a port where there is none.</summary>
    public static string EndOf(Addr address, U16Be port) => port.Host == 0 ? address.ToString()
        : address.IsIPv4 ? $"{address}:{port}"
        : $"[{address}]:{port}";

    /// <summary>A prefix of the tries, where IPv4 ones have 96 bits more.</summary>
    public static string Prefix(Addr address, uint bits) => address.IsIPv4 && bits >= 96 ? $"{address}/{bits - 96}" : $"{address}/{bits}";

    public static string Protocol(IpProtocol protocol) => ProtocolText.Of(protocol);
}
