using System.Net;
using System.Threading.Channels;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Netlink;

public sealed class RouteMonitorTests : PrivilegedTest
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly VethPair _veth;
    private readonly RouteMonitor _monitor;

    public RouteMonitorTests()
    {
        _veth = Own(new VethPair());
        _monitor = Own(_veth.Namespace.Run(RouteMonitor.Open));
    }

    public static TheoryData<string> Changes => ["link", "address", "address6", "route", "route6"];

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task Each_kind_of_change_is_told(string what)
    {
        await Quiet();
        var change = _monitor.WaitForChangeAsync(TestContext.Current.CancellationToken);
        switch (what)
        {
            case "link":
                _veth.Netlink.SetMtu(_veth.NearIndex, 1300);
                break;
            case "address":
                _veth.Netlink.AddAddress(_veth.NearIndex, IPAddress.Parse("10.7.0.1"), 32);
                break;
            case "address6":
                _veth.Netlink.AddAddress(_veth.NearIndex, IPAddress.Parse("fd07::1"), 128);
                break;
            case "route":
                _veth.Netlink.AddRoute(new Route(IPNetwork.Parse("10.5.0.0/16"), _veth.NearIndex));
                break;
            default:
                _veth.Netlink.AddRoute(new Route(IPNetwork.Parse("fd05::/64"), _veth.NearIndex));
                break;
        }
        await change.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task What_happened_while_nobody_waited_is_told_once()
    {
        await Quiet();
        for (var i = 1; i < 50; i++)
            _veth.Netlink.AddAddress(_veth.NearIndex, IPAddress.Parse($"10.7.0.{i}"), 32);
        await _monitor.WaitForChangeAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        await Quiet();
    }

    [Fact]
    public async Task Another_namespace_is_nobodys_business()
    {
        using var other = NetworkNamespace.CreateAnonymous();
        using var netlink = RouteNetlink.Open(other);
        await Quiet();
        var change = _monitor.WaitForChangeAsync(TestContext.Current.CancellationToken);
        netlink.AddVeth("a", "b");
        // what is told of this namespace afterwards would have come after it
        await Assert.ThrowsAsync<TimeoutException>(
            () => change.WaitAsync(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken));
        _veth.Netlink.SetMtu(_veth.NearIndex, 1300);
        await change.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Disposing_ends_a_wait()
    {
        await Quiet();
        var change = _monitor.WaitForChangeAsync(TestContext.Current.CancellationToken);
        _monitor.Dispose();
        await Assert.ThrowsAsync<ChannelClosedException>(() => change.WaitAsync(Patience, TestContext.Current.CancellationToken));
    }

    /// <summary>Until all is told: the pair's ends come up, and addresses of theirs become usable, by themselves.</summary>
    private async Task Quiet()
    {
        while (true)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            patience.CancelAfter(TimeSpan.FromMilliseconds(2500)); // duplicate address detection takes its time
            try
            {
                await _monitor.WaitForChangeAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
                return;
            }
        }
    }
}
