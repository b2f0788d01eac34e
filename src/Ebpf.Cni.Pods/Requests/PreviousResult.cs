using System.Net;
using System.Text.Json;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Requests;

/// <summary>One of a result's interfaces.</summary>
/// <param name="Name">In its namespace.</param>
/// <param name="Mac">As text; "" when the result has none.</param>
/// <param name="Sandbox">Path of the namespace; "" for the node's.</param>
public sealed record ResultInterface(string Name, string Mac, string Sandbox);

/// <summary>
/// prevResult of a network configuration: what the plugins before this one in a chain have made (ADD), or what ADD had answered in the end
/// (CHECK, DEL). Checked as far as we rely on it; the rest is handed on as it came.
/// </summary>
public sealed record PreviousResult
{
    /// <summary>More than any chain makes; a bound on what one request can cost.</summary>
    private const int Most = 64;

    /// <summary>The whole, a copy.</summary>
    public required JsonElement Json { get; init; }

    public IReadOnlyList<ResultInterface> Interfaces { get; init; } = [];

    /// <summary>Addresses, and the index in <see cref="Interfaces"/> of the interface that has each; -1 when the result has none.</summary>
    public IReadOnlyList<(IPAddress Address, int Interface)> Addresses { get; init; } = [];

    /// <exception cref="CniException">Code 6: it is not a result.</exception>
    public static PreviousResult Read(JsonElement result)
    {
        var interfaces = List(result, "interfaces").Select(ReadInterface).ToList();
        return new PreviousResult
        {
            Json = result.Clone(),
            Interfaces = interfaces,
            Addresses =
            [
                .. List(result, "ips").Select(i => ReadAddress(i, interfaces.Count)),
                .. ReadMember(result, "ip4"),
                .. ReadMember(result, "ip6"),
            ],
        };
    }

    /// <summary>
    /// A sentence for each address of ours that the result does not have. Other plugins of the chain may have added some.
    /// </summary>
    public IEnumerable<string> Differences(EndpointRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        var reported = Addresses.Select(a => a.Address).ToHashSet();
        foreach (var address in record.Addresses)
            if (!reported.Contains(IPAddress.Parse(address)))
                yield return $"prevResult does not have the address {address}";
        if (Interfaces.FirstOrDefault(i => i.Name == record.Ifname && i.Sandbox.Length > 0) is { Mac.Length: > 0 } own
            && (!MacAddr.TryParse(own.Mac, out var mac) || !mac.ToBytes().AsSpan().SequenceEqual(record.PodMac)))
            yield return $"prevResult has the MAC address {own.Mac} for {record.Ifname}";
    }

    /// <summary>The elements of a list in the result, for handing on; none where it has none.</summary>
    internal static IEnumerable<JsonElement> List(JsonElement owner, string name)
    {
        if (!owner.TryGetAnyCase(name, out var list) || list.ValueKind == JsonValueKind.Null)
            return [];
        return list.ValueKind == JsonValueKind.Array && list.GetArrayLength() <= Most ? list.EnumerateArray() : throw Malformed();
    }

    private static ResultInterface ReadInterface(JsonElement item) => item.ValueKind == JsonValueKind.Object
        ? new ResultInterface(Text(item, "name"), Text(item, "mac"), Text(item, "sandbox"))
        : throw Malformed();

    /// <summary>Results before 0.3.0: {"ip4":{"ip":"10.0.0.5/24"}}; they name no interface.</summary>
    private static IEnumerable<(IPAddress, int)> ReadMember(JsonElement result, string name)
    {
        if (!result.TryGetAnyCase(name, out var member) || member.ValueKind == JsonValueKind.Null)
            yield break;
        if (member.ValueKind != JsonValueKind.Object || !IPAddress.TryParse(Text(member, "ip").Split('/')[0], out var address))
            throw Malformed();
        yield return (address, -1);
    }

    private static (IPAddress, int) ReadAddress(JsonElement item, int interfaces)
    {
        if (item.ValueKind != JsonValueKind.Object || !IPAddress.TryParse(Text(item, "address").Split('/')[0], out var address))
            throw Malformed();
        if (!item.TryGetAnyCase("interface", out var index) || index.ValueKind == JsonValueKind.Null)
            return (address, -1);
        return index.ValueKind == JsonValueKind.Number && index.TryGetInt32(out var number) && number >= 0 && number < interfaces
            ? (address, number)
            : throw Malformed();
    }

    private static string Text(JsonElement owner, string name)
    {
        if (!owner.TryGetAnyCase(name, out var value) || value.ValueKind == JsonValueKind.Null)
            return "";
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Malformed();
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair.
            throw Malformed();
        }
    }

    private static CniException Malformed() => new(CniErrorCode.DecodingFailure, "prevResult in the network configuration is not a result");
}
