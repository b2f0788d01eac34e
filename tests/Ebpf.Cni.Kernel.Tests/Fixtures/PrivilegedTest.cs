using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kernel.Tests.Fixtures;

/// <summary>A test that needs root. What it owns is disposed in reverse; afterwards no descriptor may be left over.</summary>
public abstract class PrivilegedTest : IDisposable
{
    private readonly Stack<IDisposable> _owned = new();
    private readonly IReadOnlyList<string> _before;

    protected PrivilegedTest()
    {
        Requires.Root();
        _before = Descriptors.Held();
    }

    /// <summary>Disposes it with the test.</summary>
    protected T Own<T>(T resource) where T : IDisposable
    {
        _owned.Push(resource);
        return resource;
    }

    /// <summary>Undoes something with the test.</summary>
    protected void Later(Action undo) => _owned.Push(new Undo(undo));

    public void Dispose()
    {
        while (_owned.TryPop(out var resource))
            resource.Dispose();
        GC.SuppressFinalize(this);
        Assert.Equal(_before, Descriptors.Held());
    }

    private sealed class Undo(Action action) : IDisposable
    {
        public void Dispose() => action();
    }
}

/// <summary>This process's descriptors of the kinds the library makes.</summary>
public static class Descriptors
{
    private static readonly string[] Kinds = ["anon_inode:bpf", "anon_inode:[bpf", "net:[", "socket:["];

    public static IReadOnlyList<string> Held() =>
    [
        .. Directory.GetFiles("/proc/self/fd")
            .Select(path => new FileInfo(path).LinkTarget ?? "")
            .Where(target => Kinds.Any(kind => target.StartsWith(kind, StringComparison.Ordinal)))
            .Order(),
    ];
}
