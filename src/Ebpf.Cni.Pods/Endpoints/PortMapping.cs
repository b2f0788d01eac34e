using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Endpoints;

/// <summary>One element of runtimeConfig.portMappings, and of an endpoint's file.</summary>
/// <param name="HostPort">Of the node.</param>
/// <param name="ContainerPort">Of the pod.</param>
/// <param name="Protocol">tcp, udp or sctp.</param>
/// <param name="HostIP">"": every address of the node. 0.0.0.0, ::: every one of the family.</param>
public sealed record PortMapping(ushort HostPort, ushort ContainerPort, string Protocol, string HostIP)
{
    /// <summary>More than a pod has containers' ports; a bound on what one request can ask for.</summary>
    private const int Most = 1024;

    /// <summary>An unknown protocol has none; requests with one are refused, files with one are damaged.</summary>
    [JsonIgnore]
    public IpProtocol? Number => Protocol switch
    {
        "tcp" => IpProtocol.Tcp,
        "udp" => IpProtocol.Udp,
        "sctp" => IpProtocol.Sctp,
        _ => null,
    };

    [JsonIgnore]
    public bool IsSound => HostPort > 0 && ContainerPort > 0 && Number is not null && (HostIP.Length == 0 || IsAddress(HostIP));

    /// <param name="list">runtimeConfig.portMappings.</param>
    /// <exception cref="CniException">Code 7: what is wrong with which element.</exception>
    public static IReadOnlyList<PortMapping> ReadAll(JsonElement list)
    {
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() > Most)
            throw new CniException(
                CniErrorCode.InvalidNetworkConfig, $"portMappings in runtimeConfig is not an array of at most {Most} elements");
        // The same pair twice is what two containers of a pod can ask for: one is enough.
        return [.. list.EnumerateArray().Select(Read).Distinct()];
    }

    /// <summary>IPAddress.TryParse also takes 1 for 0.0.0.1.</summary>
    private static bool IsAddress(string text) =>
        (text.Contains(':', StringComparison.Ordinal) || text.Count(c => c == '.') == 3) && IPAddress.TryParse(text, out _);

    private static PortMapping Read(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object)
            throw new CniException(CniErrorCode.InvalidNetworkConfig, "an element of portMappings is not an object");
        var protocol = Text(item, "protocol");
        var mapping = new PortMapping(
            Port(item, "hostPort"), Port(item, "containerPort"), protocol.Length == 0 ? "tcp" : protocol.ToLowerInvariant(),
            Text(item, "hostIP"));
        if (mapping.Number is null)
            throw Wrong(item, $"the protocol '{protocol}' is not TCP, UDP or SCTP");
        return mapping.IsSound ? mapping : throw Wrong(item, $"hostIP '{mapping.HostIP}' is not an address");
    }

    private static ushort Port(JsonElement item, string name) =>
        item.TryGetAnyCase(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetUInt16(out var port) && port > 0
            ? port
            : throw Wrong(item, $"{name} is not a port from 1 to 65535");

    private static string Text(JsonElement item, string name) => !item.TryGetAnyCase(name, out var value) ? ""
        : value.ValueKind switch
        {
            JsonValueKind.String => Decoded(item, value, name),
            JsonValueKind.Null => "",
            _ => throw Wrong(item, $"{name} is not a string"),
        };

    private static string Decoded(JsonElement item, JsonElement value, string name)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair.
            throw Wrong(item, $"{name} is not a valid string");
        }
    }

    private static CniException Wrong(JsonElement item, string what) =>
        new(CniErrorCode.InvalidNetworkConfig, $"portMappings in runtimeConfig: {what}", item.GetRawText());
}
