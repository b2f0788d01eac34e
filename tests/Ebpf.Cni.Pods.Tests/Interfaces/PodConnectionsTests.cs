using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>Connections of pods that are gone end: in one pass for many, and before a new pod has the address.</summary>
public class PodConnectionsTests
{
    private static readonly Addr[] Addresses = [.. Enumerable.Range(1, 200).Select(i => Addr.Parse($"10.244.0.{i}"))];

    private readonly List<IReadOnlyCollection<Addr>> _passes = [];
    private bool _fails;

    [Fact]
    public async Task Two_hundred_pods_that_go_at_once_are_one_pass()
    {
        var connections = Connections();
        foreach (var address in Addresses)
            connections.End([address]);
        await Eventually.True(() => Passes > 0, "a pass over the table");
        connections.Settle(Addresses);
        Assert.Equal(Addresses.Order(), Assert.Single(_passes).Order());
    }

    [Fact]
    public void A_new_pod_with_such_an_address_waits_for_it_and_others_do_not()
    {
        var connections = Connections();
        connections.End(Addresses[..2]);
        connections.Settle([Addresses[5]]);
        Assert.Empty(_passes);
        connections.Settle([Addresses[1]]);
        Assert.Equal(Addresses[..2], Assert.Single(_passes).Order());
    }

    [Fact]
    public void What_failed_is_owed()
    {
        var connections = Connections();
        _fails = true;
        connections.End([Addresses[0]]);
        connections.Settle([Addresses[0]]);
        _fails = false;
        connections.Settle([Addresses[0]]);
        Assert.Equal(2, Passes);
        connections.Settle([Addresses[0]]);
        Assert.Equal(2, Passes);
    }

    [Fact]
    public void What_failed_in_a_way_that_nobody_thought_of_is_owed_too()
    {
        var log = new KeptLog<PodConnections>();
        var connections = new PodConnections(_ => throw new InvalidOperationException("a bug"), TimeProvider.System, log);
        connections.End([Addresses[0]]);
        connections.Settle([Addresses[0]]);
        connections.Settle([Addresses[0]]);
        Assert.Equal(2, log.Lines.Count(l => l.Message.Contains("a bug", StringComparison.Ordinal)));
    }

    private int Passes
    {
        get
        {
            lock (_passes)
                return _passes.Count;
        }
    }

    private PodConnections Connections() => new(
        gone =>
        {
            lock (_passes)
                _passes.Add(gone);
            return _fails ? throw new KernelException("read the table", Errno.ENOMEM) : 0;
        },
        TimeProvider.System, NullLogger<PodConnections>.Instance);
}
