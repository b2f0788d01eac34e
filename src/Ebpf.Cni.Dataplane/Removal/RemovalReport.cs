using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Removal;

/// <summary>What a removal did, and what it did not: a noun phrase each, in the order of the steps. Not thread-safe.</summary>
public sealed class RemovalReport
{
    private readonly List<string> _removed = [];
    private readonly List<string> _restored = [];
    private readonly List<string> _left = [];
    private readonly List<string> _failures = [];

    /// <summary>Objects of the kernel and files that are gone now.</summary>
    public IReadOnlyList<string> Removed => _removed;

    /// <summary>What is again as it was before the agent.</summary>
    public IReadOnlyList<string> Restored => _restored;

    /// <summary>What stays, and why, or until when.</summary>
    public IReadOnlyList<string> Left => _left;

    /// <summary>What should be gone and is not, and why.</summary>
    public IReadOnlyList<string> Failures => _failures;

    public void Remove(string what) => _removed.Add(what);

    public void Restore(string what) => _restored.Add(what);

    public void Leave(string what) => _left.Add(what);

    public void Fail(string what, string cause) => _failures.Add($"{what}: {cause}");

    /// <summary>
    /// Does one step. The kernel's or a file system's refusal, or a damaged record, becomes one of the <see cref="Failures"/>: the next
    /// step is done all the same.
    /// </summary>
    /// <param name="what">The step's object, for the failure.</param>
    /// <param name="step">The work.</param>
    public void Try(string what, Action step)
    {
        ArgumentNullException.ThrowIfNull(step);
        try
        {
            step();
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException or IOException or UnauthorizedAccessException
            or FormatException or OverflowException)
        {
            Fail(what, e.Message);
        }
    }
}
