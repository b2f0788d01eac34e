using System.Globalization;
using System.Net;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Testing;
using KernelRoute = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Sync.Tests.Node;

/// <summary>What is read again of a real network, and what is not.</summary>
public sealed class NetworkReaderTests : IDisposable
{
    private const byte Bird = 12;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly NetworkNamespace _node;
    private readonly RouteNetlink _netlink;
    private readonly NetworkReader _reader = new();
    private readonly RouteMonitor _monitor;
    private readonly List<NetworkNamespace> _outside = [];
    private readonly int _uplink;

    public NetworkReaderTests()
    {
        Requires.Root();
        _node = NetworkNamespace.CreateAnonymous();
        _netlink = RouteNetlink.Open(_node);
        _uplink = Device("eth0", "192.0.2.1/24");
        _netlink.AddRoute(Default(2));
        _monitor = _node.Run(() => RouteMonitor.Open(_reader.Subscription, _reader.Matters));
        Assert.Equal([_uplink], Read().DefaultRoutes.Select(r => r.Ifindex));
    }

    [Fact]
    public async Task Pods_and_others_routes_are_read_for_nothing()
    {
        await Quiet();
        var before = _reader.Reads;
        for (var i = 0; i < 20; i++)
        {
            var pod = _netlink.AddVeth(string.Create(CultureInfo.InvariantCulture, $"{EndpointKey.HostPrefix}{i}"), "eth9").Index;
            // the pod's side goes to its namespace
            using var space = NetworkNamespace.CreateAnonymous();
            _netlink.MoveTo(_netlink.FindLink("eth9")!.Index, space);
            _netlink.SetUp(pod);
            _netlink.AddAddress(pod, IPAddress.Parse("fe80::1"), 64);
            var route = new KernelRoute(IPNetwork.Parse($"10.244.0.{i}/32"), pod) { Protocol = PodWiring.RouteProtocol };
            _netlink.AddRoute(route);
            if (i % 2 == 0)
                _netlink.DeleteLink(pod);
        }

        for (var i = 0; i < 200; i++)
        {
            var route = new KernelRoute(IPNetwork.Parse($"10.7.{i}.0/24"), _uplink) { Protocol = Bird };
            _netlink.AddRoute(route);
            _netlink.ReplaceRoute(route with { Mtu = 1400 });
            _netlink.DeleteRoute(route);
        }

        // Control: what came before it was judged before it. (The other sides had other names for a moment.)
        await Told(() => _netlink.ReplaceRoute(Default(3)));
        Read();
        Assert.Equal(before.Routes + 1, _reader.Reads.Routes);
    }

    [Fact]
    public async Task A_pods_device_alone_is_no_change()
    {
        using var space = NetworkNamespace.CreateAnonymous();
        await Quiet();
        var before = _reader.Reads;
        var pod = _netlink.AddVeth($"{EndpointKey.HostPrefix}1", "eth0", space).Index;
        _netlink.SetUp(pod);
        _netlink.AddAddress(pod, IPAddress.Parse("fe80::1"), 64);
        _netlink.DeleteLink(pod);
        await Told(() => _netlink.ReplaceRoute(Default(3)));
        Read();
        Assert.Equal((before.Devices, before.Routes + 1), _reader.Reads);
    }

    [Fact]
    public async Task Devices_and_routes_are_read_each_for_its_own_changes()
    {
        await Quiet();
        var before = _reader.Reads;
        await Told(() => _netlink.SetMtu(_uplink, 1400));
        Assert.Equal(1400, Read().Links.Single(l => l.Index == _uplink).Mtu);
        Assert.Equal(before with { Devices = before.Devices + 1 }, _reader.Reads);

        await Quiet();
        before = _reader.Reads;
        await Told(() => _netlink.DeleteRoute(Default(2)));
        Assert.Empty(Read().DefaultRoutes);
        Assert.Equal(before with { Routes = before.Routes + 1 }, _reader.Reads);
        await Told(() => _netlink.AddRoute(Default(2)));
        Assert.Single(Read().DefaultRoutes);
    }

    [Fact]
    public async Task A_default_route_that_goes_with_its_device_in_silence_is_missed()
    {
        await Quiet();
        await Told(() =>
        {
            _netlink.SetDown(_uplink);
            _netlink.SetUp(_uplink);
        });
        Assert.Empty(Read().DefaultRoutes);
        await Told(() => _netlink.AddRoute(Default(2)));
        Assert.Single(Read().DefaultRoutes);
        await Told(() =>
        {
            _netlink.DeleteAddress(_uplink, IPAddress.Parse("192.0.2.1"), 24);
            _netlink.AddAddress(_uplink, IPAddress.Parse("192.0.2.1"), 24);
        });
        Assert.Empty(Read().DefaultRoutes);
    }

    [Fact]
    public async Task Where_it_matters_whether_a_device_leads_to_a_network_its_routes_are_followed()
    {
        var doubtful = Device("eth1", "198.51.100.1/32");
        await Eventually.True(() => Read().Links.Any(l => l.Index == doubtful && l.Up), "the device is there");
        Assert.Empty(Read().RoutedDevices);
        await Quiet();
        KernelRoute[] routes = [new(IPNetwork.Parse("10.7.0.0/16"), doubtful), new(IPNetwork.Parse("10.8.0.0/16"), doubtful)];
        await Told(() => _netlink.AddRoute(routes[0]));
        Assert.Equal([doubtful], Read().RoutedDevices);
        var before = _reader.Reads;
        _netlink.AddRoute(routes[1]);
        await Told(() => _netlink.DeleteRoute(routes[0]));
        Assert.Equal([doubtful], Read().RoutedDevices);
        await Told(() => _netlink.DeleteRoute(routes[1]));
        Assert.Empty(Read().RoutedDevices);
        Assert.Equal(before, _reader.Reads);
        // In silence again.
        await Told(() => _netlink.AddRoute(routes[0]));
        Assert.Equal([doubtful], Read().RoutedDevices);
        await Told(() =>
        {
            _netlink.SetDown(doubtful);
            _netlink.SetUp(doubtful);
        });
        Assert.Empty(Read().RoutedDevices);
    }

    [Fact]
    public async Task What_was_read_in_parts_is_what_is_read_at_once()
    {
        var random = new Random(Seed.Next());
        var other = Device("eth1", "198.51.100.1/32");
        Action[] changes =
        [
            () => _netlink.ReplaceRoute(Default(random.Next(2, 9))), () => _netlink.DeleteRoute(_netlink.DefaultRoutes()[0]),
            () => _netlink.SetDown(_uplink), () => _netlink.SetUp(_uplink), () => _netlink.SetDown(other), () => _netlink.SetUp(other),
            () => _netlink.AddRoute(new(IPNetwork.Parse($"10.{random.Next(9)}.0.0/16"), other)),
            () => _netlink.DeleteRoute(new(IPNetwork.Parse($"10.{random.Next(9)}.0.0/16"), other)),
            () => _netlink.AddAddress(other, IPAddress.Parse("203.0.113.1"), 24),
            () => _netlink.DeleteAddress(other, IPAddress.Parse("203.0.113.1"), 24),
            () => _netlink.DeleteLink(_netlink.FindLink("eth2")!.Index), () => Device("eth2", "203.0.113.9/32"),
        ];
        for (var round = 0; round < 30; round++)
        {
            for (var n = random.Next(1, 5); n > 0; n--)
                Try(changes[random.Next(changes.Length)]);
            await Eventually.True(() => Read().Equals(_node.Run(NodeNetworkState.Read)), $"the same in round {round}");
        }
    }

    public void Dispose()
    {
        _monitor.Dispose();
        _netlink.Dispose();
        _node.Dispose();
        _outside.ForEach(o => o.Dispose());
    }

    private static void Try(Action change)
    {
        try
        {
            change();
        }
        catch (Exception e) when (e is Kernel.KernelException or NullReferenceException or ArgumentOutOfRangeException)
        {
            // There is nothing to change.
        }
    }

    private NodeNetworkState Read() => _node.Run(() => _reader.Read(_monitor));

    private KernelRoute Default(int gateway) =>
        new(IPNetwork.Parse("0.0.0.0/0"), _uplink) { Gateway = IPAddress.Parse($"192.0.2.{gateway}") };

    /// <summary>A network card, as far as can be told; without a cable, so that nothing happens by itself.</summary>
    private int Device(string name, string address)
    {
        var outside = NetworkNamespace.CreateAnonymous();
        _outside.Add(outside);
        var device = _netlink.AddVeth(name, "far", outside).Index;
        _netlink.AddAddress(device, IPAddress.Parse(address.Split('/')[0]), int.Parse(address.Split('/')[1], CultureInfo.InvariantCulture));
        _netlink.SetUp(device);
        return device;
    }

    /// <summary>Does something, and waits until the reader was told of it.</summary>
    private async Task Told(Action change)
    {
        await Quiet();
        change();
        await _monitor.WaitForChangeAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        await Quiet();
    }

    /// <summary>Nothing more is told of what was done.</summary>
    private async Task Quiet()
    {
        while (true)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            patience.CancelAfter(TimeSpan.FromMilliseconds(300));
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
