using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Kernel.Tests.Fixtures;

/// <summary>A directory of this test's own in the bpffs; its pins go with it.</summary>
public sealed class PinDirectory : IDisposable
{
    private static int _count;
    private readonly string _path;

    public PinDirectory()
    {
        _path = $"{BpfFileSystem.DefaultPath}/ebc-kernel-tests-{Environment.ProcessId}-{Interlocked.Increment(ref _count)}";
        BpfFileSystem.Ensure(_path);
    }

    public string this[string name] => Path.Combine(_path, name);

    public void Dispose() => Directory.Delete(_path, recursive: true);
}
