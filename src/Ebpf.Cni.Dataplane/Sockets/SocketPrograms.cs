using System.Collections.Immutable;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Dataplane.Sockets;

/// <summary>
/// The socket hooks of a cgroup. Their links are pinned: they stay when the agent goes, and the next agent puts its programs under
/// them in place. A pinned link of another cgroup, or of one that is gone, is replaced.
/// </summary>
public sealed class SocketPrograms : IDisposable
{
    private static readonly ImmutableArray<(CgroupAttach Hook, string Program)> Hooks =
    [
        // The reverse direction first: a socket that is translated finds its reverse hooks in place.
        (CgroupAttach.Recvmsg4, "ebc_recvmsg4"), (CgroupAttach.Recvmsg6, "ebc_recvmsg6"),
        (CgroupAttach.Getpeername4, "ebc_getpeer4"), (CgroupAttach.Getpeername6, "ebc_getpeer6"),
        (CgroupAttach.SockOps, "ebc_sock_ops"), (CgroupAttach.SockRelease, "ebc_sock_release"),
        (CgroupAttach.Connect4, "ebc_connect4"), (CgroupAttach.Connect6, "ebc_connect6"),
        (CgroupAttach.Sendmsg4, "ebc_sendmsg4"), (CgroupAttach.Sendmsg6, "ebc_sendmsg6"),
        (CgroupAttach.Bind4, "ebc_bind4"), (CgroupAttach.Bind6, "ebc_bind6"),
    ];

    /// <summary>Is attached nowhere: the agent runs it (<see cref="SocketFinder"/>).</summary>
    internal const string Finder = "ebc_sock_find";

    private static readonly ImmutableArray<CgroupAttach> BindHooks = [CgroupAttach.Bind4, CgroupAttach.Bind6];

    /// <summary>They count bytes and tidy tables: not worth a call for every socket where hardly any is translated.</summary>
    private static readonly ImmutableArray<CgroupAttach> EndHooks = [CgroupAttach.SockOps, CgroupAttach.SockRelease];

    private readonly PinLayout _pins;
    private readonly ImmutableArray<(CgroupAttach Hook, BpfProgram Program)> _programs;

    internal SocketPrograms(PinLayout pins, BpfObject loaded)
    {
        _pins = pins;
        _programs = [.. Hooks.Where(h => loaded.ProgramNames.Contains(h.Program)).Select(h => (h.Hook, loaded.GetProgram(h.Program)))];
    }

    /// <summary>Attaches, adopts or updates every hook; idempotent.</summary>
    /// <param name="cgroup">A directory of the cgroup v2 file system; sockets of it and below are translated.</param>
    /// <param name="bindGuard">With the hooks that refuse to bind a NodePort; else these are taken away.</param>
    /// <param name="loopbackOnly">Of the hooks only those that translate; the others are taken away.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such cgroup.</exception>
    /// <exception cref="Kernel.KernelException">It is not of version 2, or the kernel refuses.</exception>
    public ImmutableArray<LinkOutcome> Attach(string cgroup, bool bindGuard = true, bool loopbackOnly = false)
    {
        var id = CgroupDirectory.Open(cgroup).Id;
        ImmutableArray<CgroupAttach> without = [.. bindGuard && !loopbackOnly ? [] : BindHooks, .. loopbackOnly ? EndHooks : []];
        foreach (var hook in without)
            PinnedLink.Remove(_pins.SocketLink(hook));
        return [.. _programs.Where(p => !without.Contains(p.Hook)).Select(p => PinnedLink.Ensure(
            _pins.SocketLink(p.Hook), p.Program, info => info.CgroupId == id, () => BpfLink.AttachCgroup(p.Program, cgroup, p.Hook)))];
    }

    /// <summary>
    /// Removes every hook, the forward direction before the reverse; idempotent. Connections keep the backends they have.
    /// </summary>
    public static void Detach(PinLayout pins)
    {
        ArgumentNullException.ThrowIfNull(pins);
        foreach (var (hook, _) in Hooks.Reverse())
            PinnedLink.Remove(pins.SocketLink(hook));
    }

    /// <summary>Closes descriptors; what is attached stays so.</summary>
    public void Dispose()
    {
        foreach (var (_, program) in _programs)
            program.Dispose();
    }
}
