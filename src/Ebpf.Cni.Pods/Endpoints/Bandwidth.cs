using System.Text.Json;
using System.Text.Json.Serialization;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Endpoints;

/// <summary>
/// runtimeConfig.bandwidth, and part of an endpoint's file: rates in bits a second, bursts in bits, as the bandwidth capability defines
/// them (CNI conventions). 0: that direction is not limited.
/// </summary>
/// <param name="IngressRate">To the pod.</param>
/// <param name="IngressBurst">To the pod.</param>
/// <param name="EgressRate">From the pod.</param>
/// <param name="EgressBurst">From the pod.</param>
public sealed record Bandwidth(ulong IngressRate, ulong IngressBurst, ulong EgressRate, ulong EgressBurst)
{
    /// <summary>The kernel counts a bucket's bytes in 32 bits.</summary>
    private const ulong MostBurst = 8UL * uint.MaxValue;

    [JsonIgnore]
    public bool IsSound => Sound(IngressRate, IngressBurst) && Sound(EgressRate, EgressBurst);

    /// <returns>Null when neither direction is limited.</returns>
    /// <exception cref="CniException">Code 7: what is wrong with it.</exception>
    public static Bandwidth? Read(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw new CniException(CniErrorCode.InvalidNetworkConfig, "bandwidth in runtimeConfig is not an object");
        var read = new Bandwidth(
            Number(element, "ingressRate"), Number(element, "ingressBurst"), Number(element, "egressRate"), Number(element, "egressBurst"));
        if (!read.IsSound)
        {
            throw new CniException(
                CniErrorCode.InvalidNetworkConfig,
                $"bandwidth in runtimeConfig: a rate (at least 8 bit/s) needs a burst (1 to {MostBurst} bits)", element.GetRawText());
        }

        return read is { IngressRate: 0, EgressRate: 0 } ? null : read;
    }

    /// <summary>A burst without a rate is what some runtimes send for a direction that is not limited.</summary>
    private static bool Sound(ulong rate, ulong burst) => rate == 0 || (rate >= 8 && burst is > 0 and <= MostBurst);

    private static ulong Number(JsonElement owner, string name) =>
        !owner.TryGetAnyCase(name, out var value) || value.ValueKind == JsonValueKind.Null ? 0
        : value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out var number) ? number
        : throw new CniException(
            CniErrorCode.InvalidNetworkConfig, $"bandwidth in runtimeConfig: {name} is not a non-negative integer", owner.GetRawText());
}
