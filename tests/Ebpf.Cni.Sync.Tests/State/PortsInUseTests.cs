using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Sync.Tests.State;

/// <summary>NodePorts and hostPorts, from state to state.</summary>
public class PortsInUseTests
{
    private readonly IncrementalCompiler _compiler = new();
    private ClusterSnapshot _cluster = ClusterSnapshot.Empty;
    private NodeContext _node = new("n") { NodePortAddresses = [Addr.Parse("192.0.2.1")], NodeAddresses = [Addr.Parse("192.0.2.1")] };
    private DesiredState _state = DesiredState.Empty;
    private PortsInUse _ports = PortsInUse.None;

    [Fact]
    public void NodePorts_are_the_bind_hooks_markers_and_hostPorts_come_and_go()
    {
        Put("web", 30080);
        Assert.Equal(((ushort)30080, IpProtocol.Tcp), Assert.Single(_ports.NodePorts).Key);
        Assert.Equal("web", _ports.NodePorts.Values.Single().Service.Name);
        Put("plain", 0);
        _node = _node with { HostPorts = [new HostPort("default/pod", null, 8080, IpProtocol.Tcp, Addr.Parse("10.244.0.5"), 80)] };
        Advance();
        Assert.Equal([8080, 30080], _ports.Numbers.Order().Select(p => (int)p));
        _node = _node with { HostPorts = [] };
        Remove("web");
        Assert.Empty(_ports.Numbers);
    }

    [Fact]
    public void A_NodePort_may_change_hands_in_one_step()
    {
        Put("a", 30080, advance: false);
        Put("b", 30081);
        Put("a", 30081, advance: false);
        Put("b", 30080);
        Assert.Equal(
            [("b", 30080), ("a", 30081)], _ports.NodePorts.OrderBy(p => p.Key.Port).Select(p => (p.Value.Service.Name, (int)p.Key.Port)));
    }

    [Fact]
    public void What_is_the_same_stays_the_same_object()
    {
        Put("web", 30080);
        var before = _ports;
        Put("plain", 0);
        var slice = new EndpointSliceSnapshot
        {
            Name = new("default", "web-1"), ServiceName = "web", Ports = [new("http", "TCP", 8080)],
            Endpoints = [new(["10.244.0.9"], true, true, false, "n")],
        };
        _cluster = _cluster with { EndpointSlices = _cluster.EndpointSlices.Add(slice.Name, slice) };
        Advance();
        Assert.Equal(1, _state.Segments.Sum(s => s.Backends.Length));
        Assert.Same(before, _ports);
    }

    private void Put(string name, int nodePort, bool advance = true)
    {
        var service = new ServiceSnapshot
        {
            Name = new("default", name), Uid = "u", Type = nodePort == 0 ? "ClusterIP" : "NodePort",
            ClusterIPs = [$"10.96.0.{(int)name[0]}"], Ports = [new("http", "TCP", 80, nodePort)],
        };
        _cluster = _cluster with { Services = _cluster.Services.SetItem(service.Name, service) };
        if (advance)
            Advance();
    }

    private void Remove(string name)
    {
        _cluster = _cluster with { Services = _cluster.Services.Remove(new("default", name)) };
        Advance();
    }

    private void Advance()
    {
        var after = _compiler.Compile(_cluster, _node, _state.Ids);
        _ports = _ports.After(_state, after);
        _state = after;
    }
}
