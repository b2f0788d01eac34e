using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Output;

/// <summary>One port of one service: what a service id stands for (kube-proxy's ServicePortName).</summary>
public readonly record struct ServicePortName(ObjectName Service, string Port, IpProtocol Protocol) : IComparable<ServicePortName>
{
    /// <summary>Begins the names of pods' hostPorts: no port of a Service has a blank in its name.</summary>
    internal const string HostPortPrefix = "hostPort ";

    /// <summary>A pod's hostPort.</summary>
    public bool IsHostPort => Port?.StartsWith(HostPortPrefix, StringComparison.Ordinal) == true;

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
