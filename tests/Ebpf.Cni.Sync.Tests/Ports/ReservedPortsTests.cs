using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Ports;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sync.Tests.Ports;

/// <summary>net.ipv4.ip_local_reserved_ports: ours come and go, an operator's stay.</summary>
public sealed class ReservedPortsTests : IDisposable
{
    private const string Path = "/proc/sys/net/ipv4/ip_local_reserved_ports";

    private readonly TemporaryDirectory _directory = new();
    private readonly NetworkNamespace? _node = Environment.IsPrivilegedProcess ? NetworkNamespace.CreateAnonymous() : null;

    public void Dispose()
    {
        _node?.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("80", "80")]
    [InlineData("81,80,79", "79-81")]
    [InlineData("1,3,65535\n", "1,3,65535")]
    [InlineData("30000-30003,30005-30006", "30000-30003,30005-30006")]
    public void Ports_are_read_and_written_as_the_kernel_does_it(string text, string written) =>
        Assert.Equal(written, PortList.Write(PortList.Parse(text)));

    [Fact]
    public void What_is_used_is_reserved_and_what_is_used_no_more_is_not() => Run(() =>
    {
        Assert.True(Apply(30080, 30081, 40000));
        Assert.Equal("30080-30081,40000", Now());
        Assert.False(Apply(30080, 30081, 40000));
        Assert.True(Apply(40000));
        Assert.Equal("40000", Now());
        Assert.True(Apply());
        Assert.Equal("", Now());
    });

    [Fact]
    public void An_operators_ports_are_never_taken_out() => Run(() =>
    {
        File.WriteAllText(Path, "8080,30000-30100");
        Apply(30080, 40000);
        Assert.Equal("8080,30000-30100,40000", Now());
        Apply();
        Assert.Equal("8080,30000-30100", Now());
    });

    [Fact]
    public void A_list_that_another_has_written_since_is_that_ones_as_it_is() => Run(() =>
    {
        Apply(40000, 40001);
        // A configuration tool that appends to what it finds.
        File.WriteAllText(Path, "40000,40001,50000");
        Apply(40001, 40002);
        Assert.Equal("40000-40002,50000", Now());
        Apply();
        Assert.Equal("40000-40001,50000", Now());
        // One that sets its own list anew.
        Apply(40002);
        File.WriteAllText(Path, "8080");
        Apply(40002);
        Assert.Equal("8080,40002", Now());
        Apply();
        Assert.Equal("8080", Now());
    });

    [Fact]
    public void Uninstalling_takes_out_what_agents_added_unless_another_has_written_the_list() => Run(() =>
    {
        File.WriteAllText(Path, "8080");
        Assert.Equal(("", ""), Release());
        Apply(30080, 30081, 8080);
        Assert.Equal(("30080-30081", ""), Release());
        Assert.Equal("8080", Now());
        Apply(30080, 30081);
        File.WriteAllText(Path, "8080,30081,50000");
        Assert.Equal(("", "30081"), Release());
        Assert.Equal("8080,30081,50000", Now());
        Assert.Equal(("", "30081"), Release());
    });

    [Fact]
    public void Thousands_of_ports_fit() => Run(() =>
    {
        var ports = Enumerable.Range(0, 5000).Select(i => (ushort)(20000 + (2 * i))).ToHashSet();
        Assert.True(new ReservedPorts(new SysctlTree(SysctlTree.Usual), _directory["reserved"]).Apply(ports));
        Assert.False(new ReservedPorts(new SysctlTree(SysctlTree.Usual), _directory["reserved"]).Apply(ports));
        Apply();
        Assert.Equal("", Now());
    });

    private void Run(Action test)
    {
        Requires.Root();
        _node!.Run(test);
    }

    /// <summary>Each time as a new agent.</summary>
    private bool Apply(params ushort[] ports) =>
        new ReservedPorts(new SysctlTree(SysctlTree.Usual), _directory["reserved"]).Apply(ports.ToHashSet());

    private (string Removed, string Left) Release() =>
        new ReservedPorts(new SysctlTree(SysctlTree.Usual), _directory["reserved"]).Release();

    private static string Now() => File.ReadAllText(Path).Trim();
}
