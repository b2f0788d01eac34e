using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Loading;

/// <summary>What became of a link that should be there.</summary>
public enum LinkOutcome
{
    /// <summary>It was there with this very program.</summary>
    Unchanged,

    /// <summary>It was there; its program was replaced in place.</summary>
    Updated,

    /// <summary>It was missing, or its target had gone, and it was attached.</summary>
    Attached,
}

/// <summary>
/// Links that outlive the agent. Pinning follows attaching, so an agent that dies between the two leaves nothing behind;
/// an update in place leaves no moment without a program.
/// </summary>
internal static class PinnedLink
{
    /// <param name="path">The pin.</param>
    /// <param name="program">What shall be attached.</param>
    /// <param name="isTarget">Whether the link that is pinned there still is attached to the right target.</param>
    /// <param name="attach">Makes a new link.</param>
    public static LinkOutcome Ensure(string path, BpfProgram program, Predicate<BpfLinkInfo> isTarget, Func<BpfLink> attach)
    {
        if (Refresh(path, program, isTarget) is { } outcome)
            return outcome;
        using var link = attach();
        link.Pin(path);
        return LinkOutcome.Attached;
    }

    /// <summary>
    /// Puts the program under the link that is pinned there. Null when there is none, or none of that target: then nothing is pinned any
    /// more.
    /// </summary>
    public static LinkOutcome? Refresh(string path, BpfProgram program, Predicate<BpfLinkInfo> isTarget)
    {
        if (!BpfLink.TryOpenPinned(path, out var existing))
            return null;
        using (existing)
        {
            var info = existing.Info;
            if (isTarget(info))
            {
                if (info.ProgramId == program.Id)
                    return LinkOutcome.Unchanged;
                if (TryUpdate(existing, program))
                    return LinkOutcome.Updated;
            }
        }
        File.Delete(path);
        return null;
    }

    /// <returns>False when the target went away.</returns>
    public static bool TryUpdate(BpfLink link, BpfProgram program)
    {
        try
        {
            link.Update(program);
            return true;
        }
        catch (KernelException e) when (e.Errno == Errno.ENOLINK)
        {
            return false;
        }
    }

    /// <summary>Detaches and forgets; one that is gone is no error.</summary>
    public static void Remove(string path)
    {
        if (!BpfLink.TryOpenPinned(path, out var link))
            return;
        using (link)
            link.Detach();
        File.Delete(path);
    }
}
