using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>
/// A traffic-control program attached as on kernels before 6.6: a cls_bpf filter in direct-action mode on the
/// interface's clsact qdisc. Priority and handle are the owner's mark: attaching again replaces exactly that filter in
/// place, and others' stay. Works in the calling thread's network namespace.
/// </summary>
public static class ClsactFilter
{
    private const string QueueKind = "clsact", FilterKind = "bpf";
    private const uint ClsactParent = 0xffff_fff1, ClsactHandle = 0xffff_0000;
    private const uint IngressParent = 0xffff_fff2, EgressParent = 0xffff_fff3;
    private const ushort AllProtocols = 0x0300; // ETH_P_ALL, network order

    /// <param name="priority">1 to 65535; lower runs first.</param>
    /// <param name="handle">Not 0.</param>
    /// <returns>The clsact qdisc was made for it.</returns>
    /// <exception cref="KernelException">
    /// ENODEV without that interface; EEXIST where another qdisc (ingress) has clsact's place.
    /// </exception>
    public static bool Attach(BpfProgram program, int ifindex, TcDirection direction, uint priority, uint handle)
    {
        ArgumentNullException.ThrowIfNull(program);
        using var socket = NetlinkSocket.Open();
        var made = EnsureQdisc(socket, ifindex);
        using var lease = program.Handle.Lease();
        var request = NetlinkRequest.Create(
            MessageType.NewFilter, MessageFlags.Acknowledge | MessageFlags.Create, Filter(ifindex, direction, priority, handle));
        request.Put(FilterAttribute.Kind, FilterKind);
        using (request.Nest(FilterAttribute.Options))
        {
            request.Put(FilterAttribute.BpfFd, lease.Fd);
            request.Put(FilterAttribute.BpfName, program.Name);
            request.Put(FilterAttribute.BpfFlags, FilterAttribute.BpfFlagDirectAction);
        }
        socket.Execute(request, $"attach {program.Name} to clsact {direction} of interface {ifindex}");
        return made;
    }

    /// <summary>
    /// Removes the filter; one that is gone, or whose interface is, is no error. The qdisc stays: others may use it
    /// (<see cref="DeleteQdisc"/>).
    /// </summary>
    public static void Detach(int ifindex, TcDirection direction, uint priority, uint handle)
    {
        using var socket = NetlinkSocket.Open();
        var request = NetlinkRequest.Create(
            MessageType.DeleteFilter, MessageFlags.Acknowledge, Filter(ifindex, direction, priority, handle));
        request.Put(FilterAttribute.Kind, FilterKind);
        try
        {
            socket.Execute(request, $"detach the filter {handle} from clsact {direction} of interface {ifindex}");
        }
        catch (KernelException e) when (e.Errno is Errno.ENOENT or Errno.ENODEV or Errno.EINVAL)
        {
            // EINVAL: there is no qdisc that could hold it
        }
    }

    /// <summary>There is such a filter. Without the interface, or its qdisc, there is none.</summary>
    public static bool Exists(int ifindex, TcDirection direction, uint priority, uint handle) =>
        FindProgram(ifindex, direction, priority, handle) is not null;

    /// <summary>The id of the program that the filter runs; null where there is no such filter.</summary>
    public static uint? FindProgram(int ifindex, TcDirection direction, uint priority, uint handle)
    {
        using var socket = NetlinkSocket.Open();
        var request = NetlinkRequest.Create(MessageType.GetFilter, MessageFlags.Acknowledge, Filter(ifindex, direction, priority, handle));
        request.Put(FilterAttribute.Kind, FilterKind);
        try
        {
            var answer = socket.Execute(request, $"look up the filter {handle} of clsact {direction} of interface {ifindex}");
            return answer.Where(m => m.Type == MessageType.NewFilter).Select(m => (uint?)ProgramOf(m.Payload)).FirstOrDefault();
        }
        catch (KernelException e) when (e.Errno is Errno.ENOENT or Errno.ENODEV or Errno.EINVAL)
        {
            return null;
        }
    }

    /// <summary>The interface has a clsact qdisc.</summary>
    public static bool HasQdisc(int ifindex)
    {
        using var netlink = RouteNetlink.Open();
        return netlink.Queues(ifindex).Any(q => q.Kind == QueueKind);
    }

    /// <summary>Neither direction has a filter, of any owner.</summary>
    /// <exception cref="KernelException">ENODEV without that interface.</exception>
    public static bool HasNoFilter(int ifindex) => !HasFilter(ifindex, IngressParent) && !HasFilter(ifindex, EgressParent);

    /// <summary>Deletes the clsact qdisc with all filters in it; one that is gone, or whose interface is, is no error.</summary>
    public static void DeleteQdisc(int ifindex)
    {
        using var socket = NetlinkSocket.Open();
        var request = NetlinkRequest.Create(
            MessageType.DeleteQueue, MessageFlags.Acknowledge,
            new QdiscHeader { Ifindex = ifindex, Parent = ClsactParent, Handle = ClsactHandle });
        try
        {
            socket.Execute(request, $"delete the clsact qdisc of interface {ifindex}");
        }
        catch (KernelException e) when (e.Errno is Errno.ENOENT or Errno.ENODEV or Errno.EINVAL)
        {
            // EINVAL: the interface has none
        }
    }

    private static bool HasFilter(int ifindex, uint parent)
    {
        using var socket = NetlinkSocket.Open();
        var request = NetlinkRequest.Create(
            MessageType.GetFilter, MessageFlags.Dump, new QdiscHeader { Ifindex = ifindex, Parent = parent });
        return socket.Any(request, $"list the filters of interface {ifindex}", MessageType.NewFilter, _ => true);
    }

    private static uint ProgramOf(ReadOnlySpan<byte> payload)
    {
        var attributes = AttributeReader.AfterHeader<QdiscHeader>(payload, out _);
        while (attributes.Next(out var type, out var value))
        {
            if (type != FilterAttribute.Options)
                continue;
            var options = new AttributeReader(value);
            while (options.Next(out var option, out var id))
                if (option == FilterAttribute.BpfId && id.Length == sizeof(uint))
                    return MemoryMarshal.Read<uint>(id);
        }

        return 0;
    }

    /// <returns>It was made now.</returns>
    private static bool EnsureQdisc(NetlinkSocket socket, int ifindex)
    {
        const MessageFlags flags = MessageFlags.Acknowledge | MessageFlags.Create | MessageFlags.Exclusive;
        var request = NetlinkRequest.Create(
            MessageType.NewQdisc, flags, new QdiscHeader { Ifindex = ifindex, Parent = ClsactParent, Handle = ClsactHandle });
        request.Put(FilterAttribute.Kind, QueueKind);
        try
        {
            socket.Execute(request, $"make the clsact qdisc of interface {ifindex}");
            return true;
        }
        catch (KernelException e) when (e.Errno == Errno.EEXIST)
        {
            // A clsact, ours or another's, is the same. An ingress qdisc has one block for both directions: the second filter would take
            // the first one's place.
            using var netlink = RouteNetlink.Open();
            if (netlink.Queues(ifindex).FirstOrDefault(q => q.Handle == ClsactHandle) is { } there && there.Kind != QueueKind)
                throw new KernelException($"make the clsact qdisc of interface {ifindex}", Errno.EEXIST,
                    $"an {there.Kind} qdisc has its place");
            return false;
        }
    }

    private static QdiscHeader Filter(int ifindex, TcDirection direction, uint priority, uint handle) => new()
    {
        Ifindex = ifindex,
        Parent = direction == TcDirection.Ingress ? IngressParent : EgressParent,
        Handle = handle,
        Info = (priority << 16) | AllProtocols,
    };
}
