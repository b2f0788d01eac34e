using System.Runtime.CompilerServices;
using System.Text.Json;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>How the agent's runtime is set.</summary>
public class MemorySettingsTests
{
    [Fact]
    public void The_list_of_a_service_of_ten_thousand_endpoints_is_no_large_object()
    {
        using var file = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "ebpf-cni-agent.runtimeconfig.json")));
        var threshold = file.RootElement.GetProperty("runtimeOptions").GetProperty("configProperties")
            .GetProperty("System.GC.LOHThreshold").GetInt64();
        Assert.True(threshold > 4 * 10_000 * Unsafe.SizeOf<DesiredBackend>(), $"{threshold} bytes");
    }
}
