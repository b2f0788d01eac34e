using System.Collections.Immutable;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Pods;

/// <summary>What adoption found.</summary>
/// <param name="Adopted">Pods whose links run this agent's programs now.</param>
/// <param name="Gone">Pods whose interface does not exist any more; their pins were removed.</param>
public sealed record AdoptionReport(ImmutableArray<string> Adopted, ImmutableArray<string> Gone);

/// <summary>
/// The tc programs on the host's side of the pods' veths, in the network namespace of the calling thread: what the pod sends arrives
/// there (ingress), what goes to it leaves there (egress). Clsact filters with a fixed priority and handle, which the kernel keeps without
/// pins; or tcx links, pinned by the pod's name, which leave the interface's qdiscs to others. Everything is idempotent.
/// </summary>
public sealed class PodPrograms : IDisposable
{
    /// <summary>Of clsact filters: our mark in `tc filter show`, and what makes replacing them idempotent.</summary>
    public const uint FilterPriority = 0xecc, FilterHandle = 1;

    private readonly PinLayout _pins;

    /// <summary>The kernel has tcx links (6.6).</summary>
    private readonly bool _tcx;

    private readonly ImmutableArray<(TcDirection Direction, BpfProgram Program)> _programs;

    internal PodPrograms(PinLayout pins, BpfObject loaded, bool tcx)
    {
        _pins = pins;
        _tcx = tcx;
        // The program towards the pod first: it reverses the translation of the other.
        _programs = [(TcDirection.Egress, loaded.GetProgram("ebc_pod_ingress")),
            (TcDirection.Ingress, loaded.GetProgram("ebc_pod_egress"))];
    }

    /// <summary>
    /// Attaches both programs, or updates them in place. What an earlier agent attached by the other method stays as it is, with this
    /// agent's programs.
    /// </summary>
    /// <param name="ifindex">The host's side of the veth.</param>
    /// <param name="name">Names the pins: unique for each pod interface of the node; no '.', '/', '_'.</param>
    /// <param name="links">
    /// By tcx links, where the kernel has them. Deleting a qdisc does not remove them. The price: attaching one, and losing one with the
    /// interface, waits for an RCU grace period under the lock of all network configuration (tcx_entry_sync), some 10 ms each, four of them
    /// in a pod's life, whatever else is starting then.
    /// </param>
    /// <exception cref="KernelException">ENODEV without that interface; filters: EEXIST where another ingress qdisc exists.</exception>
    public void Attach(int ifindex, string name, bool links)
    {
        foreach (var (direction, program) in _programs)
        {
            var pin = _pins.PodLink(name, direction);
            if (PinnedLink.Refresh(pin, program, info => info.Ifindex == ifindex) is not null)
                continue;
            if (links && _tcx && !ClsactFilter.Exists(ifindex, direction, FilterPriority, FilterHandle))
                PinnedLink.Ensure(pin, program, info => info.Ifindex == ifindex, () => BpfLink.AttachTcx(program, ifindex, direction));
            else
                ClsactFilter.Attach(program, ifindex, direction, FilterPriority, FilterHandle);
        }
    }

    /// <summary>Both programs are attached, as links or filters, and they are this agent's.</summary>
    public bool IsAttached(int ifindex, string name) => _programs.All(
        p => PinnedProgram(_pins.PodLink(name, p.Direction), ifindex) == p.Program.Id
            || ClsactFilter.FindProgram(ifindex, p.Direction, FilterPriority, FilterHandle) == p.Program.Id);

    /// <summary>Detaches by name, before or after the interface is gone. Filters go with the interface.</summary>
    public void Detach(string name)
    {
        foreach (var (direction, _) in _programs)
            PinnedLink.Remove(_pins.PodLink(name, direction));
    }

    /// <summary>
    /// Puts this agent's programs under every pinned link and in the place of every filter, and removes pins of interfaces that are gone:
    /// from then on nothing runs that reads the former tables.
    /// </summary>
    /// <exception cref="KernelException">A filter cannot be replaced although its interface is there.</exception>
    public AdoptionReport Adopt()
    {
        var adopted = new SortedSet<string>(StringComparer.Ordinal);
        var gone = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var path in Directory.GetFiles(_pins.PodLinks).Order(StringComparer.Ordinal))
        {
            if (PinLayout.ParsePodLink(path) is not var (pod, direction) || !BpfLink.TryOpenPinned(path, out var link))
                continue;
            using (link)
            {
                var program = Program(direction);
                if (link.Info.Ifindex != 0 && PinnedLink.TryUpdate(link, program))
                {
                    adopted.Add(pod);
                    continue;
                }
            }
            File.Delete(path);
            gone.Add(pod);
        }
        AdoptFilters(adopted);
        return new AdoptionReport([.. adopted], [.. gone]);
    }

    /// <summary>Pods that have pins.</summary>
    public ImmutableArray<string> List() =>
        [.. Directory.GetFiles(_pins.PodLinks).Select(PinLayout.ParsePodLink).OfType<(string Pod, TcDirection)>().Select(l => l.Pod)
            .Distinct().Order(StringComparer.Ordinal)];

    private void AdoptFilters(SortedSet<string> adopted)
    {
        using var netlink = RouteNetlink.Open();
        foreach (var link in netlink.Links())
            foreach (var (direction, program) in _programs)
                if (ClsactFilter.Exists(link.Index, direction, FilterPriority, FilterHandle) && Replace(link, direction, program))
                    adopted.Add(link.Name);
    }

    private static bool Replace(LinkInfo link, TcDirection direction, BpfProgram program)
    {
        try
        {
            ClsactFilter.Attach(program, link.Index, direction, FilterPriority, FilterHandle);
            return true;
        }
        catch (KernelException e) when (e.Errno == Errno.ENODEV)
        {
            return false; // its pod has just gone
        }
    }

    /// <summary>0 where nothing is pinned that is attached to this interface.</summary>
    private static uint PinnedProgram(string path, int ifindex)
    {
        if (!BpfLink.TryOpenPinned(path, out var link))
            return 0;
        using (link)
            return link.Info.Ifindex == ifindex ? link.Info.ProgramId : 0;
    }

    internal BpfProgram Program(TcDirection direction) => _programs.First(p => p.Direction == direction).Program;

    /// <summary>Closes descriptors; what is attached stays so.</summary>
    public void Dispose()
    {
        foreach (var (_, program) in _programs)
            program.Dispose();
    }
}
