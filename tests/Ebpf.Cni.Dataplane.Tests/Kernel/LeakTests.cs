using Ebpf.Cni.Dataplane.Observe;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>Descriptors are counted for the whole process: nothing else runs meanwhile.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public static class AloneDefinition;

[Collection("alone")]
public sealed class LeakTests : IDisposable
{
    private readonly Playground _ground = new();

    public void Dispose() => _ground.Dispose();

    [Fact]
    public void Opening_and_disposing_leaves_no_descriptor()
    {
        OpenOnce(_ground.Options);
        var before = CountBpfDescriptors();
        OpenOnce(_ground.Options);
        OpenOnce(_ground.Options with { BackendTableSize = 8192 });
        Assert.ThrowsAny<Exception>(() => OpenOnce(_ground.Options with { CgroupRoot = "/nowhere" }));
        Assert.Equal(before, CountBpfDescriptors());
    }

    [Fact]
    public void The_count_would_notice_one()
    {
        var before = CountBpfDescriptors();
        using var dataplane = NodeDataplane.Open(_ground.Options);
        Assert.True(CountBpfDescriptors() > before);
    }

    private static void OpenOnce(DataplaneOptions options)
    {
        using var dataplane = NodeDataplane.Open(options);
        using EventReader? events = dataplane.OpenEvents();
    }

    private static int CountBpfDescriptors() => Directory.GetFiles("/proc/self/fd")
        .Select(fd => new FileInfo(fd).LinkTarget ?? "").Count(t => t.Contains("bpf", StringComparison.Ordinal) || t.StartsWith("socket:", StringComparison.Ordinal));
}
