using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Conntrack;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Conntrack;

/// <summary>A pod that is gone takes its connections along, whatever they are and on whichever side it was.</summary>
public sealed class PurgeAddressesTests : IDisposable
{
    private readonly BpfMap _tcp, _any;
    private readonly ConntrackTable _table;

    public PurgeAddressesTests()
    {
        Requires.Root();
        _tcp = BpfMap.Create(new("ebc_ct_tcp", BpfMapType.LruHash, 40, 88, 4096));
        _any = BpfMap.Create(new("ebc_ct_any", BpfMapType.LruHash, 40, 88, 4096));
        _table = new ConntrackTable(_tcp, _any, null, new NoReaper(), CtTimeouts.Default, TimeProvider.System);
    }

    public void Dispose() => _table.Dispose();

    [Theory]
    [InlineData(IpProtocol.Tcp)]
    [InlineData(IpProtocol.Udp)]
    [InlineData(IpProtocol.Sctp)]
    [InlineData(IpProtocol.Icmp)]
    public void Both_directions_go_and_others_stay(IpProtocol protocol)
    {
        // A client of a service, a backend of one, a masqueraded one; each with its answers.
        Pair(protocol, "10.244.0.5", "10.96.0.1", "10.244.0.5", "10.244.1.9");
        Pair(protocol, "10.244.0.7", "10.96.0.1", "10.244.0.7", "10.244.0.5");
        Pair(protocol, "10.244.0.5", "203.0.113.1", "192.0.2.1", "203.0.113.1");
        Pair(protocol, "10.244.0.7", "10.96.0.2", "10.244.0.7", "10.244.1.9");
        Assert.Equal(8, Entries().Count);
        Assert.Equal(0, _table.PurgeAddresses([]));
        Assert.Equal(0, _table.PurgeAddresses([Addr.Parse("10.244.0.55")]));
        Assert.Equal(6, _table.PurgeAddresses([Addr.Parse("10.244.0.5"), Addr.Parse("10.244.0.6")]));
        Assert.All(Entries(),
            e => Assert.DoesNotContain(Addr.Parse("10.244.0.5"), new[] { e.Key.Src, e.Key.Dst, e.Value.Src, e.Value.Dst }));
        Assert.Equal(2, Entries().Count);
    }

    private BpfMap Of(IpProtocol protocol) => protocol == IpProtocol.Tcp ? _tcp : _any;

    private List<KeyValuePair<CtKey, Ct>> Entries() => [.. _tcp.ReadAll<CtKey, Ct>(), .. _any.ReadAll<CtKey, Ct>()];

    private sealed class NoReaper : IReaper
    {
        public int Batch => 64;

        public int Reap(ReadOnlySpan<CtKey> keys) => throw new NotSupportedException();
    }

    private void Pair(IpProtocol protocol, string from, string to, string fromAfter, string toAfter)
    {
        var (src, dst, src2, dst2) = (Addr.Parse(from), Addr.Parse(to), Addr.Parse(fromAfter), Addr.Parse(toAfter));
        var (sport, dport) = (U16Be.FromHost(1000), U16Be.FromHost(80));
        Of(protocol).Update(new CtKey(src, dst, sport, dport, protocol), new Ct { Src = src2, Dst = dst2, Sport = sport, Dport = dport });
        Of(protocol).Update(new CtKey(dst2, src2, dport, sport, protocol),
            new Ct { Src = dst, Dst = src, Sport = dport, Dport = sport, Flags = CtFlags.Reply });
    }
}
