using System.Diagnostics;
using Ebpf.Cni.Compiler.Output;
using static Ebpf.Cni.Dataplane.Tests.Services.DesiredStates;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>Prints, asserts no time.</summary>
public sealed class LoadTimeTests : IDisposable
{
    private readonly Playground _ground = new();

    public void Dispose() => _ground.Dispose();

    [Fact]
    public void Ten_thousand_services_of_four_endpoints()
    {
        const int services = 10_000;
        var desired = Services(services, changed: false);
        var options = _ground.Options with { ServiceTableSize = 131072, BackendTableSize = 1048576, SocketLb = SocketLbMode.Off };
        using (var dataplane = Measured("open", () => NodeDataplane.Open(options)))
        {
            var result = Measured("first apply", () => dataplane.Services.Apply(desired));
            Assert.True(result.Complete);
            Assert.Equal((services, services, services * 4), (result.SegmentsWritten, result.FrontendsAdded, result.BackendsWritten));
            Assert.Equal(0, Measured("unchanged apply", () => dataplane.Services.Apply(Services(services, changed: false))).KernelWrites);
            Assert.Equal(2, Measured("one endpoint's change", () => dataplane.Services.Apply(Services(services, changed: true))).KernelWrites);
            Assert.Equal(default, Measured("verify", () => dataplane.Services.Verify()));
        }
        using var restarted = Measured("open with restore", () => NodeDataplane.Open(options));
        Assert.Equal(services, restarted.Services.Restored.Segments);
        Assert.Equal(0, Measured("apply after restore", () => restarted.Services.Apply(Services(services, changed: true))).KernelWrites);
    }

    private static DesiredState Services(int count, bool changed) => Together([.. Enumerable.Range(1, count).Select(i => Single(
        $"s{i:d5}", (uint)i, $"10.{96 + i / 65536}.{i / 256 % 256}.{i % 256}",
        [.. Enumerable.Range(0, changed && i == 77 ? 5 : 4).Select(b => $"10.{100 + b}.{i / 256}.{i % 256}")]))]);

    private static T Measured<T>(string what, Func<T> work)
    {
        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        var clock = Stopwatch.StartNew();
        var result = work();
        Console.WriteLine($"10,000 x 4: {what}: {clock.Elapsed.TotalMilliseconds:0.0} ms, {(Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalMilliseconds:0.0} ms of CPU");
        return result;
    }
}
