using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Requests;

/// <summary>
/// ADD's result in the request's version (CNI specification, section 5, "Success"): what the plugins before us made, then ours: the host
/// side first, then the pod's, which every address belongs to. Addresses are single (/32, /128); everything else goes through the gateway
/// that each family has in every pod.
/// </summary>
internal static class AddResult
{
    public static byte[] Of(EndpointRecord endpoint, CniRequest request) => CniAnswer.Result(writer =>
    {
        var addresses = endpoint.Addresses.Select(IPAddress.Parse).ToList();
        writer.WriteStartObject();
        writer.WriteString("cniVersion"u8, request.Version);
        if (CniVersion.HasMemberPerFamily(request.Version))
            WriteMembers(writer, addresses);
        else
            WriteLists(writer, endpoint, addresses, request);
        WriteDns(writer, request, request.Previous?.Json);
        writer.WriteEndObject();
    });

    private static void WriteLists(Utf8JsonWriter writer, EndpointRecord endpoint, List<IPAddress> addresses, CniRequest request)
    {
        var previous = request.Previous?.Json;
        Write(writer, "interfaces", previous, () => WriteInterfaces(writer, endpoint, request.Version));
        var own = (request.Previous?.Interfaces.Count ?? 0) + 1;
        Write(writer, "ips", previous, () =>
        {
            foreach (var address in addresses)
                WriteAddress(writer, address, own, request.Version);
        });
        Write(writer, "routes", previous, () =>
        {
            foreach (var family in addresses.Select(a => a.AddressFamily))
                WriteRoute(writer, family);
        });
    }

    /// <summary>
    /// Before 0.3.0: one address a family, each with its gateway and routes. There are no chains then: the whole result is ours.
    /// </summary>
    private static void WriteMembers(Utf8JsonWriter writer, List<IPAddress> addresses)
    {
        foreach (var address in addresses)
        {
            writer.WriteStartObject(address.AddressFamily == AddressFamily.InterNetwork ? "ip4"u8 : "ip6"u8);
            writer.WriteString("ip"u8, Prefix(address));
            writer.WriteString("gateway"u8, PodWiring.Gateway(address.AddressFamily).ToString());
            writer.WriteStartArray("routes"u8);
            WriteRoute(writer, address.AddressFamily);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
    }

    private static void WriteRoute(Utf8JsonWriter writer, AddressFamily family)
    {
        writer.WriteStartObject();
        writer.WriteString("dst"u8, PodWiring.DefaultRoute(family).ToString());
        writer.WriteString("gw"u8, PodWiring.Gateway(family).ToString());
        writer.WriteEndObject();
    }

    private static string Prefix(IPAddress address) =>
        string.Create(CultureInfo.InvariantCulture, $"{address}/{PodWiring.FullPrefix(address.AddressFamily)}");

    /// <summary>What the plugins before us have in this list, then ours.</summary>
    private static void Write(Utf8JsonWriter writer, string name, JsonElement? previous, Action own)
    {
        writer.WriteStartArray(name);
        if (previous is { } result)
            foreach (var item in PreviousResult.List(result, name))
                item.WriteTo(writer);
        own();
        writer.WriteEndArray();
    }

    private static void WriteInterfaces(Utf8JsonWriter writer, EndpointRecord endpoint, string version)
    {
        Write(endpoint.Key.HostInterface, endpoint.HostMac, "");
        Write(endpoint.Ifname, endpoint.PodMac, endpoint.Netns);

        void Write(string name, byte[] mac, string sandbox)
        {
            writer.WriteStartObject();
            writer.WriteString("name"u8, name);
            writer.WriteString("mac"u8, MacAddr.FromBytes(mac).ToString());
            if (CniVersion.HasMtu(version) && endpoint.Mtu > 0)
                writer.WriteNumber("mtu"u8, endpoint.Mtu);
            if (sandbox.Length > 0)
                writer.WriteString("sandbox"u8, sandbox);
            writer.WriteEndObject();
        }
    }

    private static void WriteAddress(Utf8JsonWriter writer, IPAddress address, int owner, string version)
    {
        writer.WriteStartObject();
        if (CniVersion.NamesFamily(version))
            writer.WriteString("version"u8, address.AddressFamily == AddressFamily.InterNetwork ? "4" : "6");
        writer.WriteNumber("interface"u8, owner);
        writer.WriteString("address"u8, Prefix(address));
        writer.WriteString("gateway"u8, PodWiring.Gateway(address.AddressFamily).ToString());
        writer.WriteEndObject();
    }

    /// <summary>The configuration's own, else what came from before.</summary>
    private static void WriteDns(Utf8JsonWriter writer, CniRequest request, JsonElement? previous)
    {
        writer.WritePropertyName("dns"u8);
        if (request.Dns is { } dns)
            dns.WriteTo(writer);
        else if (previous is { } result && result.TryGetProperty("dns", out var inherited) && inherited.ValueKind == JsonValueKind.Object)
            inherited.WriteTo(writer);
        else
            writer.WriteRawValue("{}"u8);
    }
}
