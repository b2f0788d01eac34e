using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Cluster;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Uplinks;

/// <summary>
/// The tc programs of the uplinks and <c>ebc_uplink_v1</c>, in the network namespace of the calling thread. Links are tcx and pinned by
/// interface index; where the kernel has no tcx, clsact filters with a handle of their own. A device's addresses are in the table before
/// its programs run, and leave after them. The loopback device has the egress program too: for what the node asks its loopback addresses,
/// and where tc translates all of the node's own packets (<see cref="SocketLbMode.Off"/>) for these. Not thread-safe.
/// </summary>
public sealed class UplinkPrograms : IDisposable
{
    /// <summary>
    /// Of clsact filters; <see cref="Pods.PodPrograms.FilterPriority"/> with another handle, so that cleaning up one kind never touches the
    /// other.
    /// </summary>
    public const uint FilterHandle = 2;

    private const int Loopback = 1;
    private readonly PinLayout _pins;
    private readonly BpfMap _addresses;
    private readonly NodeGlobals _globals;
    private readonly bool _tcx;

    /// <summary>What leaves first: the answers to what comes in are translated back there.</summary>
    private readonly ImmutableArray<(TcDirection Direction, BpfProgram Program)> _programs;

    /// <summary>
    /// Filters cannot be found by pins: those of an earlier agent on devices that are no uplinks any more are looked for once.
    /// </summary>
    private bool _cleaned;

    /// <param name="pins">Where links are pinned.</param>
    /// <param name="loaded">uplink.bpf.o.</param>
    /// <param name="addresses">ebc_uplink_v1.</param>
    /// <param name="globals">The node's globals that all programs read.</param>
    /// <param name="tcx">The kernel has tcx.</param>
    internal UplinkPrograms(PinLayout pins, BpfObject loaded, BpfMap addresses, NodeGlobals globals, bool tcx)
    {
        _pins = pins;
        _addresses = addresses;
        _globals = globals;
        _tcx = tcx;
        _programs = [(TcDirection.Egress, loaded.GetProgram("ebc_host_egress")),
            (TcDirection.Ingress, loaded.GetProgram("ebc_uplink_ingress"))];
    }

    /// <summary>Makes exactly these devices uplinks; idempotent.</summary>
    /// <param name="devices">Each interface once.</param>
    /// <param name="nodeV4">The address by which others know the node; null: none of this family.</param>
    /// <param name="nodeV6">The same for IPv6.</param>
    public UplinkReport Apply(ImmutableArray<UplinkDevice> devices, Addr? nodeV4, Addr? nodeV6)
    {
        var errors = ImmutableArray.CreateBuilder<ApplyError>();
        var attached = ImmutableArray.CreateBuilder<string>();
        _globals.SetOwn(nodeV4, nodeV6);
        foreach (var device in devices)
        {
            Try(errors, $"uplink {device.Name} (interface {device.Ifindex})", () =>
            {
                _addresses.Update(new UplinkKey((uint)device.Ifindex), new Uplink(device.V4 ?? default, device.V6 ?? default));
                if (Attach(device.Ifindex, _programs))
                    attached.Add(device.Name);
            });
        }
        Try(errors, "the loopback device", EnsureLoopback);
        var detached = ImmutableArray.CreateBuilder<int>();
        Try(errors, "clean up former uplinks", () => DetachOthers([.. devices.Select(d => d.Ifindex)], detached));
        return new UplinkReport(attached.DrainToImmutable(), detached.DrainToImmutable(), errors.DrainToImmutable());
    }

    /// <summary>
    /// Puts this agent's programs under every pinned link, and removes pins of interfaces that are gone. To be called before anything that
    /// relied on the former programs is taken away.
    /// </summary>
    internal void Adopt()
    {
        foreach (var (path, ifindex, direction) in _pins.ListUplinkLinks())
        {
            if (!BpfLink.TryOpenPinned(path, out var link))
                continue;
            using (link)
            {
                if (link.Info.Ifindex != 0 && PinnedLink.TryUpdate(link, Program(direction)))
                    continue;
            }
            File.Delete(path);
        }
        EnsureLoopback();
    }

    internal BpfProgram Program(TcDirection direction) => _programs.First(p => p.Direction == direction).Program;

    /// <summary>Closes descriptors; what is attached stays so.</summary>
    public void Dispose()
    {
        foreach (var (_, program) in _programs)
            program.Dispose();
        _addresses.Dispose();
    }

    private void EnsureLoopback() => Attach(Loopback, [_programs[0]]);

    /// <returns>Whether anything changed.</returns>
    private bool Attach(int ifindex, ImmutableArray<(TcDirection Direction, BpfProgram Program)> programs)
    {
        var changed = false;
        foreach (var (direction, program) in programs)
        {
            if (_tcx)
                changed |= PinnedLink.Ensure(
                    _pins.UplinkLink(ifindex, direction), program, info => info.Ifindex == ifindex,
                    () => BpfLink.AttachTcx(program, ifindex, direction)) != LinkOutcome.Unchanged;
            else if (ClsactFilter.Attach(program, ifindex, direction, Pods.PodPrograms.FilterPriority, FilterHandle))
                _pins.RecordQdisc(ifindex);
        }
        return changed;
    }

    private void DetachOthers(HashSet<int> wanted, ImmutableArray<int>.Builder detached)
    {
        wanted.Add(Loopback);
        if (!_tcx && !_cleaned)
        {
            using var netlink = RouteNetlink.Open();
            foreach (var link in netlink.Links().Where(l => !wanted.Contains(l.Index)))
                foreach (var (direction, _) in _programs)
                    ClsactFilter.Detach(link.Index, direction, Pods.PodPrograms.FilterPriority, FilterHandle);
            _cleaned = true;
        }
        var left = _addresses.ReadAll<UplinkKey, Uplink>().Select(e => (int)e.Key.Ifindex)
            .Concat(_pins.ListUplinkLinks().Select(l => l.Ifindex)).Where(i => i != 0 && !wanted.Contains(i)).Distinct().Order();
        foreach (var ifindex in left.ToList())
        {
            // What comes in first: what was translated there is translated back as long as it leaves.
            foreach (var (direction, _) in _programs.Reverse())
            {
                PinnedLink.Remove(_pins.UplinkLink(ifindex, direction));
                if (!_tcx)
                    ClsactFilter.Detach(ifindex, direction, Pods.PodPrograms.FilterPriority, FilterHandle);
            }
            _addresses.Delete(new UplinkKey((uint)ifindex));
            detached.Add(ifindex);
        }
    }

    private static void Try(ImmutableArray<ApplyError>.Builder errors, string what, Action work)
    {
        try
        {
            work();
        }
        catch (KernelException e)
        {
            errors.Add(new ApplyError(what, e));
        }
    }
}
