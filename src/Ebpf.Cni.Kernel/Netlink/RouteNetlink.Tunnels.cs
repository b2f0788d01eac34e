using System.Buffers.Binary;

namespace Ebpf.Cni.Kernel.Netlink;

/// <content>Tunnel devices.</content>
public sealed partial class RouteNetlink
{
    /// <summary>
    /// A VXLAN device without a network or peers of its own (external): who hands it a packet says whereto it goes. It is down, asks for no
    /// neighbours, joins no groups, learns nothing, and has no IPv6 address.
    /// </summary>
    /// <param name="port">UDP.</param>
    /// <param name="mac">6 bytes.</param>
    /// <param name="mtu">Of inner packets.</param>
    /// <exception cref="KernelException">
    /// EEXIST if the name is taken, or the port by another such device; EOPNOTSUPP without the kernel's VXLAN.
    /// </exception>
    public LinkInfo AddVxlan(string name, ushort port, byte[] mac, int mtu)
    {
        const uint flags = LinkHeader.FlagNoArp;
        const uint changed = LinkHeader.FlagNoArp | LinkHeader.FlagMulticast;
        var request = NetlinkRequest.Create(MessageType.NewLink, Make, new LinkHeader { Flags = flags, Change = changed });
        PutEnd(request, name, mac, mtu);
        Span<byte> portBytes = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(portBytes, port);
        using (request.Nest(LinkAttribute.Info))
        {
            request.Put(LinkAttribute.InfoKind, VxlanInfo.Kind);
            using (request.Nest(LinkAttribute.InfoData))
            {
                request.Put(LinkAttribute.VxlanCollectMetadata, [1]);
                request.Put(LinkAttribute.VxlanLearning, [0]);
                request.Put(LinkAttribute.VxlanPort, portBytes);
            }
        }
        Execute(request, $"make the VXLAN device {name} on port {port}");
        var made = FindLink(name) ?? throw new KernelException($"look up the new interface {name}", Errno.ENODEV);
        SetNoGeneratedAddress(made.Index);
        return made;
    }

    /// <summary>The device gets no link-local IPv6 address when it is switched on. Nothing happens on a kernel without IPv6.</summary>
    public void SetNoGeneratedAddress(int ifindex)
    {
        try
        {
            Change(ifindex, $"disable IPv6 address generation on interface {ifindex}", request =>
            {
                using (request.Nest(LinkAttribute.FamilySettings))
                using (request.Nest(AddressFamilies.IPv6))
                    request.Put(LinkAttribute.AddressGenerationMode, [LinkAttribute.GenerateNoAddress]);
            });
        }
        catch (KernelException e) when (e.Errno == Errno.EAFNOSUPPORT)
        {
        }
    }
}
