using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Compiler.Output;

/// <summary>One port of one service: what a service id stands for (kube-proxy's ServicePortName).</summary>
public readonly record struct ServicePortName(ObjectName Service, string Port, IpProtocol Protocol) : IComparable<ServicePortName>
{
    /// <summary>A pod's hostPort, which no service's port is named like.</summary>
    public bool IsHostPort => HostPortCompiler.IsReserved(Port ?? "");

    public int CompareTo(ServicePortName other)
    {
        var c = Service.CompareTo(other.Service);
        if (c != 0) return c;
        c = string.CompareOrdinal(Port, other.Port);
        return c != 0 ? c : Protocol.CompareTo(other.Protocol);
    }

    public static bool operator <(ServicePortName a, ServicePortName b) => a.CompareTo(b) < 0;
    public static bool operator >(ServicePortName a, ServicePortName b) => a.CompareTo(b) > 0;
    public static bool operator <=(ServicePortName a, ServicePortName b) => a.CompareTo(b) <= 0;
    public static bool operator >=(ServicePortName a, ServicePortName b) => a.CompareTo(b) >= 0;

    public override string ToString() => string.IsNullOrEmpty(Port) ? $"{Service}/{Protocol}" : $"{Service}:{Port}/{Protocol}";
}
