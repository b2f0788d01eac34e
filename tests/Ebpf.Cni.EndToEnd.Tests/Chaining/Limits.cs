using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Fabric;

namespace Ebpf.Cni.EndToEnd.Tests.Chaining;

/// <summary>What the bandwidth plugin does to a transfer: rates of one run are compared with each other, never with a number.</summary>
internal static class Limits
{
    private const int Bytes = 2_000_000;
    private const int LeastRatio = 5; // far from both sides: 10 Mbit/s against a veth's gigabits

    /// <summary>10 Mbit/s and a burst of 100 kB, into the pod ("ingress") or out of it ("egress").</summary>
    public static JsonObject Plugin(string direction) => new()
    {
        ["type"] = "bandwidth",
        [direction + "Rate"] = 10_000_000,
        [direction + "Burst"] = 800_000,
    };

    /// <summary>Bytes a second of a transfer with programs/server.py; as many go each way, so the slower direction decides.</summary>
    public static async Task<double> Rate(Func<string[], Task<ExecResult>> run, string address, int port)
    {
        var asked = Asked.Parse(await run(ServiceCluster.Program("ask.py", "tcp", address, $"{port}", "1", "30", "--bytes", $"{Bytes}")));
        Assert.Equal("whole: 1", asked.ToString());
        return Bytes / asked.Seconds;
    }

    public static void Limited(double limited, double free, string what) =>
        Assert.True(free > LeastRatio * limited, $"{what}: {limited / 1e6:0.0} MB/s with the limit, {free / 1e6:0.0} MB/s without");
}
