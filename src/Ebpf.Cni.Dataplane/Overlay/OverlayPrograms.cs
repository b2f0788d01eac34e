using System.Collections.Immutable;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Pods;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Overlay;

/// <summary>
/// The tc programs of the tunnels' device, in the network namespace of the calling thread. Links are tcx and pinned; where the kernel has
/// no tcx, clsact filters, which go with the device. Everything is idempotent. Not thread-safe.
/// </summary>
public sealed class OverlayPrograms : IDisposable
{
    /// <summary>Of clsact filters; <see cref="PodPrograms.FilterPriority"/> with another handle.</summary>
    public const uint FilterHandle = 3;

    private readonly PinLayout _pins;
    private readonly bool _tcx;

    /// <summary>What arrives is checked before anything leaves that could be answered.</summary>
    private readonly ImmutableArray<(TcDirection Direction, BpfProgram Program)> _programs;

    internal OverlayPrograms(PinLayout pins, BpfObject loaded, bool tcx)
    {
        _pins = pins;
        _tcx = tcx;
        _programs = [(TcDirection.Ingress, loaded.GetProgram("ebc_overlay_ingress")),
            (TcDirection.Egress, loaded.GetProgram("ebc_overlay_egress"))];
    }

    /// <summary>Attaches both programs, or replaces them in place; also to a device that was made anew.</summary>
    /// <param name="ifindex">The device; null takes the programs away.</param>
    /// <exception cref="Kernel.KernelException">ENODEV without that interface.</exception>
    public void Apply(int? ifindex)
    {
        foreach (var (direction, program) in _programs)
        {
            if (ifindex is not { } device)
                PinnedLink.Remove(_pins.OverlayLink(direction));
            else if (_tcx)
                PinnedLink.Ensure(_pins.OverlayLink(direction), program, info => info.Ifindex == device,
                    () => BpfLink.AttachTcx(program, device, direction));
            else
                ClsactFilter.Attach(program, device, direction, PodPrograms.FilterPriority, FilterHandle);
        }
    }

    /// <summary>Puts this agent's programs under the pinned links, and removes pins of a device that is gone.</summary>
    internal void Adopt()
    {
        foreach (var (direction, program) in _programs)
        {
            var path = _pins.OverlayLink(direction);
            if (!BpfLink.TryOpenPinned(path, out var link))
                continue;
            using (link)
            {
                if (link.Info.Ifindex != 0 && PinnedLink.TryUpdate(link, program))
                    continue;
            }
            File.Delete(path);
        }
    }

    /// <summary>Closes descriptors; what is attached stays so.</summary>
    public void Dispose()
    {
        foreach (var (_, program) in _programs)
            program.Dispose();
    }
}
