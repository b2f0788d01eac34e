using System.Net;

namespace Ebpf.Cni.Kernel.Netlink;

/// <content>Neighbours.</content>
public sealed partial class RouteNetlink
{
    private const ushort StateReachable = 0x02;

    /// <summary>Adds or replaces.</summary>
    /// <param name="permanent">Never asked for and never forgotten; else it ages as if it had just answered.</param>
    public void ReplaceNeighbour(int ifindex, IPAddress address, byte[] mac, bool permanent = true)
    {
        const MessageFlags flags = MessageFlags.Acknowledge | MessageFlags.Create | MessageFlags.Replace;
        var state = permanent ? Neighbour.StatePermanent : StateReachable;
        var request = NeighbourRequest(MessageType.NewNeighbour, flags, ifindex, address, state);
        request.Put(NeighbourAttribute.Mac, Checked(mac));
        Execute(request, $"set the neighbour {address} on interface {ifindex}");
    }

    /// <exception cref="KernelException">ENOENT if there is none.</exception>
    public void DeleteNeighbour(int ifindex, IPAddress address) => Execute(
        NeighbourRequest(MessageType.DeleteNeighbour, MessageFlags.Acknowledge, ifindex, address, 0),
        $"delete the neighbour {address} on interface {ifindex}");

    /// <param name="ifindex">0 for all interfaces.</param>
    public IReadOnlyList<Neighbour> Neighbours(int ifindex = 0)
    {
        var request = NetlinkRequest.Create(MessageType.GetNeighbour, MessageFlags.Dump, default(NeighbourHeader));
        return _socket.Dump(
            request, "list neighbours", MessageType.NewNeighbour,
            payload => Neighbour.Read(payload) is { } found && (ifindex == 0 || found.Ifindex == ifindex) ? found : null);
    }

    private static NetlinkRequest NeighbourRequest(MessageType type, MessageFlags flags, int ifindex, IPAddress address, ushort state)
    {
        var header = new NeighbourHeader { Family = AddressFamilies.Of(address), Ifindex = ifindex, State = state };
        var request = NetlinkRequest.Create(type, flags, in header);
        request.Put(NeighbourAttribute.Address, address);
        return request;
    }
}
