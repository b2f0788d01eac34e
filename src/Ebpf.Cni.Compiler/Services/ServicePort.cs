using System.Globalization;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>One port of a service, read and checked.</summary>
/// <param name="Name">Unique in the service.</param>
/// <param name="Port">Of cluster IPs and external addresses.</param>
/// <param name="NodePort">0: none.</param>
internal readonly record struct ServicePort(ServicePortName Name, U16Be Port, U16Be NodePort)
{
    /// <summary>The usable ports, by name.</summary>
    public static List<ServicePort> Read(ObjectName service, ServiceSnapshot source, IssueCollector issues)
    {
        if (source.Ports.IsDefaultOrEmpty)
            return [];
        var ports = new List<ServicePort>(source.Ports.Length);
        var names = source.Ports.Length > 8 ? new HashSet<ServicePortName>() : null;
        foreach (var port in source.Ports)
        {
            if (!ProtocolText.TryParse(port.Protocol, out var protocol))
            {
                issues.Add(IssueReason.ProtocolUnknown,
                    $"{Shown(port)} has the protocol {IssueCollector.Quote(port.Protocol)}; it is not served");
                continue;
            }
            if (port.Port is <= 0 or > ushort.MaxValue)
            {
                issues.Add(IssueReason.PortOutOfRange, $"{Shown(port)} is not 1 to 65535; it is not served");
                continue;
            }
            var name = new ServicePortName(service, port.Name ?? "", protocol);
            if (name.IsHostPort)
                issues.Add(IssueReason.PortNameReserved, $"{Shown(port)} has a reserved name; it is not served");
            else if (!(names?.Add(name) ?? !ports.Exists(p => p.Name == name)))
                issues.Add(IssueReason.PortNameDuplicate, $"{Shown(port)} has the name and protocol of an earlier port; it is not served");
            else
                ports.Add(new ServicePort(name, U16Be.FromHost((ushort)port.Port), ReadNodePort(source, port, issues)));
        }
        if (ports.Count > 1)
            ports.Sort(static (a, b) => a.Name.CompareTo(b.Name));
        return ports;
    }

    /// <summary>The API server takes a node port back when the type changes to one without.</summary>
    private static U16Be ReadNodePort(ServiceSnapshot source, ServicePortSnapshot port, IssueCollector issues)
    {
        if (port.NodePort == 0 || source.Type is not ("NodePort" or "LoadBalancer"))
            return default;
        if (port.NodePort is > 0 and <= ushort.MaxValue)
            return U16Be.FromHost((ushort)port.NodePort);
        issues.Add(IssueReason.NodePortOutOfRange, string.Create(CultureInfo.InvariantCulture,
            $"{Shown(port)} has the node port {port.NodePort}, not 1 to 65535; it is served without one"));
        return default;
    }

    private static string Shown(ServicePortSnapshot port) =>
        string.Create(CultureInfo.InvariantCulture, $"port {IssueCollector.Quote(port.Name)} ({port.Port})");
}
