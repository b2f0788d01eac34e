using System.Globalization;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Benchmarks.Strain;

/// <summary>Packets that a namespace received for addresses without a route (Ip InAddrErrors): here, answers to the flood.</summary>
internal static class Unclaimed
{
    public static long Packets(NetworkNamespace where) => where.Run(() =>
    {
        var all = File.ReadLines("/proc/thread-self/net/snmp");
        var lines = all.Where(l => l.StartsWith("Ip:", StringComparison.Ordinal)).Select(l => l.Split(' ')).ToList();
        return long.Parse(lines[1][Array.IndexOf(lines[0], "InAddrErrors")], CultureInfo.InvariantCulture);
    });
}
