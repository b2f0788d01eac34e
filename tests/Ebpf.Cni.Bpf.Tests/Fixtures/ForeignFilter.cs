using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>How another component's program sits behind ours.</summary>
public enum Behind
{
    Tcx,
    Clsact,
}

/// <summary>The program of another component on a device that has ours already. It counts packets of 1000 bytes and more.</summary>
internal sealed class ForeignFilter : IDisposable
{
    private const uint Priority = 49152, Handle = 1; // what tc gives a filter without a priority: behind every other one

    private readonly BpfObject _program = BpfObject.Open(Repository.BpfObject("test/count"));
    private readonly BpfLink? _link;
    private readonly BpfMap _seen;

    public ForeignFilter(NetworkNamespace where, string device, TcDirection direction, Behind behind)
    {
        _program.Load();
        _seen = _program.GetMap("ebc_test_seen");
        var count = _program.GetProgram("ebc_test_count");
        _link = where.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            var ifindex = netlink.FindLink(device)!.Index;
            if (behind == Behind.Tcx)
                return BpfLink.AttachTcx(count, ifindex, direction);
            ClsactFilter.Attach(count, ifindex, direction, Priority, Handle);
            return null;
        });
    }

    public ulong Seen => _seen.TryLookup(0u, out ulong seen) ? seen : 0;

    public void Dispose()
    {
        // A clsact filter goes with its device.
        _link?.Dispose();
        _seen.Dispose();
        _program.Dispose();
    }
}
