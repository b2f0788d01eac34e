using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>How fast an interface may send: a token bucket (tc-tbf(8)).</summary>
/// <param name="Rate">Bytes a second, not 0.</param>
/// <param name="Burst">Bytes that may go at once after a pause; at least the longest packet, else that is never sent.</param>
/// <param name="Limit">Bytes that may wait; what comes then is lost.</param>
public sealed record TbfLimits(ulong Rate, uint Burst, uint Limit);

/// <summary>A queue (qdisc) of an interface.</summary>
/// <param name="Ifindex">The interface.</param>
/// <param name="Handle">Its number: major in the upper half.</param>
/// <param name="Parent">What it hangs on; <see cref="Root"/> for the one that all the interface sends goes through.</param>
/// <param name="Kind">"tbf", "noqueue", "clsact"…</param>
/// <param name="Rate">Bytes a second of a token bucket; 0 for other kinds.</param>
public sealed record QdiscInfo(int Ifindex, uint Handle, uint Parent, string Kind, ulong Rate)
{
    /// <summary>TC_H_ROOT.</summary>
    public const uint Root = 0xffffffff;

    internal static QdiscInfo Read(ReadOnlySpan<byte> payload)
    {
        var attributes = AttributeReader.AfterHeader<QdiscHeader>(payload, out var header);
        var queue = new QdiscInfo(header.Ifindex, header.Handle, header.Parent, "", 0);
        ReadOnlySpan<byte> options = default;
        while (attributes.Next(out var type, out var value))
        {
            if (type == QdiscAttribute.Kind)
                queue = queue with { Kind = AttributeReader.Text(value) };
            else if (type == QdiscAttribute.Options)
                options = value;
        }

        return queue.Kind == TokenBucketKind ? queue with { Rate = ReadRate(options) } : queue;
    }

    internal const string TokenBucketKind = "tbf";

    private static ulong ReadRate(ReadOnlySpan<byte> options)
    {
        var attributes = new AttributeReader(options);
        ulong rate = 0, rate64 = 0;
        while (attributes.Next(out var type, out var value))
        {
            if (type == QdiscAttribute.BucketParameters && value.Length >= Unsafe.SizeOf<TokenBucketHeader>())
                rate = MemoryMarshal.Read<TokenBucketHeader>(value).Rate.Rate;
            else if (type == QdiscAttribute.BucketRate64 && value.Length == sizeof(ulong))
                rate64 = MemoryMarshal.Read<ulong>(value);
        }

        return Math.Max(rate, rate64);
    }
}
