using System.Net;
using System.Text.Json;
using Ebpf.Cni.Plugin.Protocol;

namespace Ebpf.Cni.Agent.Cni;

/// <summary>What the runtime remembers of an ADD, compared with the record.</summary>
internal static class PreviousResult
{
    /// <summary>A sentence for each address of ours that the result does not have. Other plugins of the chain may have added some.</summary>
    /// <exception cref="CniException">Code 6: it is not a result.</exception>
    public static IEnumerable<string> Differences(JsonElement result, EndpointRecord record)
    {
        var told = Addresses(result).ToHashSet();
        foreach (var address in record.Addresses)
            if (!told.Contains(IPAddress.Parse(address)))
                yield return $"prevResult does not have the address {address}";
    }

    private static IEnumerable<IPAddress> Addresses(JsonElement result)
    {
        if (!result.TryGetProperty("ips", out var ips))
            yield break;
        if (ips.ValueKind != JsonValueKind.Array)
            throw Malformed();
        foreach (var ip in ips.EnumerateArray())
        {
            if (ip.ValueKind != JsonValueKind.Object || !ip.TryGetProperty("address", out var text) || text.ValueKind != JsonValueKind.String
                || !IPAddress.TryParse(text.GetString()!.Split('/')[0], out var address))
                throw Malformed();
            yield return address;
        }
    }

    private static CniException Malformed() => new(CniErrorCode.DecodingFailure, "prevResult in the network configuration is not a result");
}
