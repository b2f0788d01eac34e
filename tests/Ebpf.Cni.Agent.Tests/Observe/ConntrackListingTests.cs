using System.Text;
using System.Text.Json;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Observe;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Conntrack;

namespace Ebpf.Cni.Agent.Tests.Observe;

/// <summary>Who fills the connection table, as text and as JSON.</summary>
public class ConntrackListingTests
{
    private static readonly ConntrackUsage Usage = new(new(MapNames.ConntrackTcp, 10, 100), new(MapNames.ConntrackAny, 40, 100));

    private static readonly ConntrackListing Listing = new(
        new ConntrackTop(
            [new(Addr.Parse("10.1.0.7"), 30), new(Addr.Parse("fd00::7"), 20)], [new(7, 40), new(0, 8), new(99, 2)], Usage),
        null, new Dictionary<uint, ServicePortName> { [7] = new(new("default", "web"), "http", IpProtocol.Tcp) });

    [Fact]
    public void People_read_a_table()
    {
        var text = Encoding.UTF8.GetString(Listing.Text());
        Assert.StartsWith("tcp          10 of 100 (10.0 %)\nother        40 of 100 (40.0 %)\n", text, StringComparison.Ordinal);
        Assert.Contains("\n         30  10.1.0.7\n", text, StringComparison.Ordinal);
        Assert.Contains("\n         40  default/web:http/Tcp\n", text, StringComparison.Ordinal);
        Assert.Contains("\n          8  (none: masqueraded only)\n          2  (gone, id 99)\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Scripts_read_JSON()
    {
        using var json = JsonDocument.Parse(Listing.Json());
        var root = json.RootElement;
        Assert.Equal((50, 200, 0.4),
            (root.GetProperty("connections").GetInt32(), root.GetProperty("size").GetInt32(), root.GetProperty("fillRatio").GetDouble()));
        Assert.Equal("fd00::7", root.GetProperty("clients")[1].GetProperty("client").GetString());
        Assert.Equal(40, root.GetProperty("services")[0].GetProperty("connections").GetInt32());
    }
}
