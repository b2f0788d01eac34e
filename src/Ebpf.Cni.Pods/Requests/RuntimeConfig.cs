using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Requests;

/// <summary>
/// What a runtime asks for one pod: runtimeConfig, by the capabilities that our configuration declares (CNI conventions).
/// </summary>
public sealed record RuntimeConfig
{
    /// <summary>What the configuration that we install declares.</summary>
    public static readonly IReadOnlyList<string> Capabilities = ["portMappings", "ips", "mac", "bandwidth"];

    public static readonly RuntimeConfig None = new();

    public IReadOnlyList<PortMapping> PortMappings { get; init; } = [];

    /// <summary>At most one a family, IPv4 first.</summary>
    public IReadOnlyList<Addr> Addresses { get; init; } = [];

    /// <summary>Of the pod's side, as text; "" when none was asked for.</summary>
    public string Mac { get; init; } = "";

    public Bandwidth? Bandwidth { get; init; }

    /// <exception cref="CniException">Code 7: what is wrong with it. What is not known is left alone.</exception>
    public static RuntimeConfig Read(JsonElement config) => new()
    {
        PortMappings = Member(config, "portMappings") is { } ports ? PortMapping.ReadAll(ports) : [],
        Addresses = Member(config, "ips") is { } addresses ? ReadAddresses(addresses) : [],
        Mac = Member(config, "mac") is { } mac ? ReadMac(mac) : "",
        Bandwidth = Member(config, "bandwidth") is { } bandwidth ? Endpoints.Bandwidth.Read(bandwidth) : null,
    };

    private static JsonElement? Member(JsonElement owner, string name) =>
        owner.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>["10.0.0.5/24", "fd00::5"]: a prefix length is allowed and says nothing here, pods have single addresses.</summary>
    private static List<Addr> ReadAddresses(JsonElement list)
    {
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() > 2)
            throw Wrong("ips in runtimeConfig is not an array of at most one address per family", list);
        var addresses = list.EnumerateArray().Select(ReadAddress).OrderBy(a => a.Family == AddressFamily.InterNetwork ? 0 : 1).ToList();
        return addresses.Select(a => a.Family).Distinct().Count() == addresses.Count
            ? addresses
            : throw Wrong("ips in runtimeConfig has two addresses of a family", list);
    }

    private static Addr ReadAddress(JsonElement item)
    {
        var parts = Text(item, "an element of ips").Split('/');
        if (parts.Length > 2 || !IPAddress.TryParse(parts[0], out var address) || address.ScopeIdOrZero() != 0
            || (address.AddressFamily == AddressFamily.InterNetwork && parts[0].Count(c => c == '.') != 3))
            throw Wrong("an element of ips in runtimeConfig is not an address", item);
        if (parts.Length == 2
            && (!byte.TryParse(parts[1], out var length) || length > (address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128)))
            throw Wrong("an element of ips in runtimeConfig has no prefix length of its family", item);
        return Addr.From(address);
    }

    private static string ReadMac(JsonElement value)
    {
        var text = Text(value, "mac");
        if (text.Length == 0)
            return "";
        // Two digits each: the text goes into results as others write it.
        if (text.Length != 17 || !MacAddr.TryParse(text, out var mac))
            throw Wrong("mac in runtimeConfig is not an Ethernet address", value);
        return (mac.B0 & 1) == 0 && mac != default
            ? mac.ToString()
            : throw Wrong("mac in runtimeConfig is not a unicast address", value);
    }

    private static string Text(JsonElement value, string what)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String
                ? value.GetString()! : throw Wrong($"{what} in runtimeConfig is not a string", value);
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair.
            throw Wrong($"{what} in runtimeConfig is not a valid string", value);
        }
    }

    private static CniException Wrong(string what, JsonElement element) =>
        new(CniErrorCode.InvalidNetworkConfig, what, element.GetRawText());
}

/// <summary>Scope ids, which only IPv6 addresses have and no pod's address may.</summary>
internal static class ScopeIds
{
    public static long ScopeIdOrZero(this IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? address.ScopeId : 0;
}
