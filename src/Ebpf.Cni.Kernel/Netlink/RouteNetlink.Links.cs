using System.Text;
using Ebpf.Cni.Kernel.Interop;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Kernel.Netlink;

/// <content>Interfaces.</content>
public sealed partial class RouteNetlink
{
    /// <summary>Bytes of the longest interface name.</summary>
    public const int LongestName = 15;

    private const MessageFlags Make = MessageFlags.Acknowledge | MessageFlags.Create | MessageFlags.Exclusive;

    public IReadOnlyList<LinkInfo> Links()
    {
        var request = NetlinkRequest.Create(MessageType.GetLink, MessageFlags.Dump, default(LinkHeader));
        return _socket.Dump(request, "list interfaces", MessageType.NewLink, payload => LinkInfo.Read(payload));
    }

    /// <summary>Null if there is none.</summary>
    public LinkInfo? FindLink(string name)
    {
        var request = NetlinkRequest.Create(MessageType.GetLink, MessageFlags.Acknowledge, default(LinkHeader));
        request.Put(LinkAttribute.Name, Checked(name));
        return FindLink(request, $"look up the interface {name}");
    }

    /// <summary>Null if there is none.</summary>
    public LinkInfo? FindLink(int ifindex) => ifindex <= 0
        ? null
        : FindLink(
            NetlinkRequest.Create(MessageType.GetLink, MessageFlags.Acknowledge, new LinkHeader { Ifindex = ifindex }),
            $"look up interface {ifindex}");

    /// <summary>A pair of interfaces joined back to back; both are down.</summary>
    /// <param name="peerNamespace">Where the peer is made, under its final name; null for here.</param>
    /// <param name="mac">6 bytes; null lets the kernel choose.</param>
    /// <returns>The end that is here.</returns>
    /// <exception cref="KernelException">EEXIST if one of the names is taken; then neither is made.</exception>
    public LinkInfo AddVeth(
        string name, string peer, NetworkNamespace? peerNamespace = null, byte[]? mac = null, byte[]? peerMac = null, int? mtu = null)
    {
        var request = NetlinkRequest.Create(MessageType.NewLink, Make, default(LinkHeader));
        PutEnd(request, name, mac, mtu);
        // the descriptor's number is in the message: hold it until the kernel has answered
        using var peerFd = peerNamespace is null ? default : ((FdHandle)peerNamespace.Handle).Lease();
        using (request.Nest(LinkAttribute.Info))
        {
            request.Put(LinkAttribute.InfoKind, "veth");
            using (request.Nest(LinkAttribute.InfoData))
            using (request.Nest(LinkAttribute.VethPeer))
            {
                request.PutHeader(default(LinkHeader));
                PutEnd(request, peer, peerMac, mtu);
                if (peerNamespace is not null)
                    request.Put(LinkAttribute.NamespaceFd, peerFd.Fd);
            }
        }
        Execute(request, $"make the veth pair {name} and {peer}");
        return FindLink(name) ?? throw new KernelException($"look up the new interface {name}", Errno.ENODEV);
    }

    /// <summary>A software switch; it is down.</summary>
    /// <exception cref="KernelException">EEXIST if the name is taken.</exception>
    public LinkInfo AddBridge(string name)
    {
        var request = NetlinkRequest.Create(MessageType.NewLink, Make, default(LinkHeader));
        request.Put(LinkAttribute.Name, Checked(name));
        using (request.Nest(LinkAttribute.Info))
            request.Put(LinkAttribute.InfoKind, "bridge");
        Execute(request, $"make the bridge {name}");
        return FindLink(name) ?? throw new KernelException($"look up the new interface {name}", Errno.ENODEV);
    }

    /// <summary>With a veth its peer goes too.</summary>
    /// <exception cref="KernelException">ENODEV if there is none.</exception>
    public void DeleteLink(int ifindex) => Execute(
        NetlinkRequest.Create(MessageType.DeleteLink, MessageFlags.Acknowledge, new LinkHeader { Ifindex = ifindex }),
        $"delete interface {ifindex}");

    public void SetUp(int ifindex) => Execute(ChangeFlags(ifindex, LinkHeader.FlagUp), $"set interface {ifindex} up");

    public void SetDown(int ifindex) => Execute(ChangeFlags(ifindex, 0), $"set interface {ifindex} down");

    /// <param name="master">A bridge; 0 takes the interface out of the one it is in.</param>
    public void SetMaster(int ifindex, int master) =>
        Change(ifindex, $"set the master of interface {ifindex} to {master}", r => r.Put(LinkAttribute.Master, master));

    public void SetMtu(int ifindex, int mtu) =>
        Change(ifindex, $"set the MTU of interface {ifindex} to {mtu}", r => r.Put(LinkAttribute.Mtu, mtu));

    public void SetMac(int ifindex, byte[] mac) =>
        Change(ifindex, $"set the MAC address of interface {ifindex}", r => r.Put(LinkAttribute.Mac, Checked(mac)));

    /// <summary>Older kernels demand that it is down (EBUSY).</summary>
    public void Rename(int ifindex, string name) =>
        Change(ifindex, $"rename interface {ifindex} to {name}", r => r.Put(LinkAttribute.Name, Checked(name)));

    /// <summary>A note for people, up to 255 bytes.</summary>
    public void SetAlias(int ifindex, string alias) =>
        Change(ifindex, $"set the alias of interface {ifindex}", r => r.Put(LinkAttribute.Alias, Encoding.UTF8.GetBytes(alias)));

    /// <summary>It loses its addresses and routes and is down there; its number may change.</summary>
    public void MoveTo(int ifindex, NetworkNamespace networkNamespace)
    {
        ArgumentNullException.ThrowIfNull(networkNamespace);
        using var target = ((FdHandle)networkNamespace.Handle).Lease();
        var fd = target.Fd;
        Change(ifindex, $"move interface {ifindex} to another namespace", r => r.Put(LinkAttribute.NamespaceFd, fd));
    }

    private static NetlinkRequest ChangeFlags(int ifindex, uint flags) => NetlinkRequest.Create(
        MessageType.NewLink,
        MessageFlags.Acknowledge,
        new LinkHeader { Ifindex = ifindex, Flags = flags, Change = LinkHeader.FlagUp });

    private void Change(int ifindex, string operation, Action<NetlinkRequest> put)
    {
        var request = NetlinkRequest.Create(MessageType.NewLink, MessageFlags.Acknowledge, new LinkHeader { Ifindex = ifindex });
        put(request);
        Execute(request, operation);
    }

    private LinkInfo? FindLink(NetlinkRequest request, string operation)
    {
        try
        {
            return _socket.Execute(request, operation).Where(message => message.Type == MessageType.NewLink)
                .Select(message => LinkInfo.Read(message.Payload)).FirstOrDefault();
        }
        catch (KernelException e) when (e.Errno == Errno.ENODEV)
        {
            return null;
        }
    }

    private static void PutEnd(NetlinkRequest request, string name, byte[]? mac, int? mtu)
    {
        request.Put(LinkAttribute.Name, Checked(name));
        if (mac is not null)
            request.Put(LinkAttribute.Mac, Checked(mac));
        if (mtu is { } bytes)
            request.Put(LinkAttribute.Mtu, bytes);
    }

    private static string Checked(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return Encoding.UTF8.GetByteCount(name) <= LongestName ? name
            : throw new ArgumentException($"interface names have at most {LongestName} bytes: '{name}'");
    }

    private static byte[] Checked(byte[] mac)
    {
        ArgumentNullException.ThrowIfNull(mac);
        return mac.Length == 6 ? mac : throw new ArgumentException($"a MAC address has 6 bytes, not {mac.Length}");
    }
}
