using System.Globalization;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>
/// Counts what arrives at a machine of the network for an address: what its neighbours sent there is seen although nobody answers.
/// </summary>
internal sealed class WireTap
{
    private readonly NetworkNamespace _where;

    public WireTap(NetworkNamespace where, string address)
    {
        Requires.Tool("nft");
        _where = where;
        var match = address.Contains(':', StringComparison.Ordinal) ? "ip6 daddr" : "ip daddr";
        Tool.Run(
            where, "nft",
            "add table inet tap; add chain inet tap in { type filter hook prerouting priority -300; }; "
            + $"add rule inet tap in {match} {address} counter");
    }

    public long Packets => long.Parse(
        Tool.Run(_where, "nft", "list", "table", "inet", "tap").Split("counter packets ")[1].Split(' ')[0], CultureInfo.InvariantCulture);
}
