using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>What decides whether an endpoint is used.</summary>
[Flags]
internal enum EndpointTraits : byte
{
    None = 0,

    /// <summary>On this node.</summary>
    Local = 1 << 0,

    Ready = 1 << 1,

    /// <summary>It would answer, whether or not it should be asked.</summary>
    Serving = 1 << 2,

    ServingTerminating = 1 << 3,

    /// <summary>hints.forNodes is there.</summary>
    NodeHints = 1 << 4,

    /// <summary>hints.forZones is there.</summary>
    ZoneHints = 1 << 5,

    ForThisNode = 1 << 6,
    ForThisZone = 1 << 7,
}

/// <summary>An endpoint's address and traits.</summary>
internal readonly record struct SliceEndpoint(Addr Addr, EndpointTraits Traits)
{
    public bool Has(EndpointTraits all) => (Traits & all) == all;
}

/// <summary>A usable port of a slice: the target of the service port with this name and protocol.</summary>
internal readonly record struct SlicePort(string Name, IpProtocol Protocol, U16Be Port);

/// <summary>One slice, read and checked once for all ports of its service.</summary>
internal sealed record SliceEndpoints(bool IsIPv4, SlicePort[] Ports, SliceEndpoint[] Endpoints)
{
    /// <summary>
    /// Null for a slice of a family that this node does not serve, of names (FQDN, which kube-proxy ignores too) or of an unknown type.
    /// </summary>
    public static SliceEndpoints? Read(ObjectName name, EndpointSliceSnapshot slice, ServiceContext node, List<CompileIssue> issues)
    {
        var found = new IssueCollector("EndpointSlice", name, slice.Uid);
        var read = Read(slice, node, found);
        found.MoveTo(issues);
        return read;
    }

    private static SliceEndpoints? Read(EndpointSliceSnapshot slice, ServiceContext node, IssueCollector issues)
    {
        var ipv4 = slice.AddressType == "IPv4";
        if (!ipv4 && slice.AddressType != "IPv6")
        {
            if (slice.AddressType != "FQDN")
                issues.Add(IssueReason.AddressTypeUnknown,
                    $"addressType is {IssueCollector.Quote(slice.AddressType)}, not IPv4, IPv6 or FQDN; the slice is ignored");
            return null;
        }
        return node.Serves(ipv4) ? new SliceEndpoints(ipv4, ReadPorts(slice, issues), ReadEndpoints(slice, ipv4, node, issues)) : null;
    }

    private static SlicePort[] ReadPorts(EndpointSliceSnapshot slice, IssueCollector issues)
    {
        if (slice.Ports.IsDefaultOrEmpty)
            return [];
        var ports = new List<SlicePort>(slice.Ports.Length);
        foreach (var port in slice.Ports)
        {
            if (!ProtocolText.TryParse(port.Protocol, out var protocol))
                issues.Add(IssueReason.EndpointProtocolUnknown,
                    $"port {IssueCollector.Quote(port.Name)} has the protocol {IssueCollector.Quote(port.Protocol)}; it is ignored");
            else if (port.Port is not { } number)
                issues.Add(IssueReason.EndpointPortMissing, $"port {IssueCollector.Quote(port.Name)} has no number; it is ignored");
            else if (number is <= 0 or > ushort.MaxValue)
                issues.Add(IssueReason.EndpointPortOutOfRange,
                    $"port {IssueCollector.Quote(port.Name)} is {number}, not 1 to 65535; it is ignored");
            else
                ports.Add(new SlicePort(port.Name ?? "", protocol, U16Be.FromHost((ushort)number)));
        }
        return [.. ports];
    }

    private static SliceEndpoint[] ReadEndpoints(EndpointSliceSnapshot slice, bool ipv4, ServiceContext node, IssueCollector issues)
    {
        if (slice.Endpoints.IsDefaultOrEmpty)
            return [];
        var endpoints = new SliceEndpoint[slice.Endpoints.Length];
        var count = 0;
        foreach (var endpoint in slice.Endpoints)
        {
            if (!TryReadAddress(endpoint, ipv4, issues, out var address))
                continue;
            endpoints[count++] = new SliceEndpoint(address, Traits(endpoint, node));
        }
        return count == endpoints.Length ? endpoints : endpoints[..count];
    }

    private static EndpointTraits Traits(EndpointSnapshot endpoint, ServiceContext node)
    {
        var traits = EndpointTraits.None;
        if (node.Name.Length > 0 && endpoint.NodeName == node.Name)
            traits |= EndpointTraits.Local;
        if (endpoint.Ready)
            traits |= EndpointTraits.Ready;
        if (endpoint.Ready || endpoint.Serving)
            traits |= EndpointTraits.Serving;
        if (endpoint.Serving && endpoint.Terminating)
            traits |= EndpointTraits.ServingTerminating;
        if (!endpoint.HintNodes.IsDefaultOrEmpty)
            traits |= EndpointTraits.NodeHints | (Names(endpoint.HintNodes, node.Name) ? EndpointTraits.ForThisNode : 0);
        if (!endpoint.HintZones.IsDefaultOrEmpty)
            traits |= EndpointTraits.ZoneHints | (Names(endpoint.HintZones, node.Zone) ? EndpointTraits.ForThisZone : 0);
        return traits;
    }

    /// <summary>A node without a zone is in none, whatever a hint says.</summary>
    private static bool Names(ImmutableArray<string> hints, string self) => self.Length > 0 && hints.Contains(self);

    /// <summary>
    /// Only the first address counts: "no semantics are defined" for the others (discovery.k8s.io/v1, Endpoint.addresses), and
    /// kube-proxy reads Addresses[0] alone (pkg/proxy/endpointslicecache.go, addEndpoints).
    /// </summary>
    private static bool TryReadAddress(EndpointSnapshot endpoint, bool ipv4, IssueCollector issues, out Addr address)
    {
        address = default;
        if (endpoint.Addresses.IsDefaultOrEmpty)
        {
            issues.Add(IssueReason.EndpointWithoutAddress, "an endpoint has no address; it is ignored");
            return false;
        }
        var text = endpoint.Addresses[0];
        if (!AddrText.TryParse(text, out address))
            issues.Add(IssueReason.EndpointAddressInvalid,
                $"endpoint address {IssueCollector.Quote(text)} is not an address; it is ignored");
        else if (address.IsIPv4 != ipv4)
            issues.Add(IssueReason.EndpointAddressWrongFamily,
                $"endpoint address {address} does not match the slice's addressType {(ipv4 ? "IPv4" : "IPv6")}; it is ignored");
        else if (AddrClass.Special(address) is { } special)
            issues.Add(IssueReason.EndpointAddressNotAllowed, $"endpoint address {address} is {special}; it is ignored");
        else
            return true;
        return false;
    }
}
