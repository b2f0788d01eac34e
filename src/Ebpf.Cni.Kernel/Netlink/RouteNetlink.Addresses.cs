using System.Net;

namespace Ebpf.Cni.Kernel.Netlink;

/// <content>Addresses.</content>
public sealed partial class RouteNetlink
{
    /// <param name="noDad">IPv6: use it at once, without duplicate address detection.</param>
    /// <param name="noPrefixRoute">No route to the address's network is made with it.</param>
    /// <param name="scope">IPv4: Host keeps the kernel from choosing it as a source.</param>
    /// <exception cref="KernelException">EEXIST if the interface has it already.</exception>
    public void AddAddress(int ifindex, IPAddress address, int prefixLength, bool noDad = true, bool noPrefixRoute = false,
        RouteScope scope = RouteScope.Universe)
    {
        var request = AddressRequest(MessageType.NewAddress, Make, ifindex, address, prefixLength, scope);
        uint flags = 0;
        if (noDad && AddressFamilies.Of(address) == AddressFamilies.IPv6)
            flags |= AddressAttribute.FlagNoDad;
        if (noPrefixRoute)
            flags |= AddressAttribute.FlagNoPrefixRoute;
        if (flags != 0)
            request.Put(AddressAttribute.Flags, flags);
        Execute(request, $"add the address {address}/{prefixLength} to interface {ifindex}");
    }

    /// <exception cref="KernelException">EADDRNOTAVAIL if the interface has no such address.</exception>
    public void DeleteAddress(int ifindex, IPAddress address, int prefixLength) => Execute(
        AddressRequest(MessageType.DeleteAddress, MessageFlags.Acknowledge, ifindex, address, prefixLength),
        $"delete the address {address}/{prefixLength} of interface {ifindex}");

    /// <param name="ifindex">0 for all interfaces.</param>
    public IReadOnlyList<AddressInfo> Addresses(int ifindex = 0)
    {
        var request = NetlinkRequest.Create(MessageType.GetAddress, MessageFlags.Dump, default(AddressHeader));
        return _socket.Dump(
            request, "list addresses", MessageType.NewAddress,
            payload => AddressInfo.Read(payload) is { } found && (ifindex == 0 || found.Ifindex == ifindex) ? found : null);
    }

    private static NetlinkRequest AddressRequest(MessageType type, MessageFlags flags, int ifindex, IPAddress address, int prefixLength,
        RouteScope scope = RouteScope.Universe)
    {
        var header = new AddressHeader
        {
            Family = AddressFamilies.Of(address),
            PrefixLength = checked((byte)prefixLength),
            Ifindex = ifindex,
            Scope = (byte)scope,
        };
        var request = NetlinkRequest.Create(type, flags, in header);
        request.Put(AddressAttribute.Local, address);
        request.Put(AddressAttribute.Address, address);
        return request;
    }
}
