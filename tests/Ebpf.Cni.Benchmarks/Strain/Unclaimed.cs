using System.Globalization;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Benchmarks.Strain;

/// <summary>Packets that a namespace received for addresses to which it knows no way (Ip InAddrErrors): answers to senders that do not exist.</summary>
internal static class Unclaimed
{
    public static long Packets(NetworkNamespace where) => where.Run(() =>
    {
        var lines = File.ReadLines("/proc/thread-self/net/snmp").Where(l => l.StartsWith("Ip:", StringComparison.Ordinal)).Select(l => l.Split(' ')).ToList();
        return long.Parse(lines[1][Array.IndexOf(lines[0], "InAddrErrors")], CultureInfo.InvariantCulture);
    });
}
