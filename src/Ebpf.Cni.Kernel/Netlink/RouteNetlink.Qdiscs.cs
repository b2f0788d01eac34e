namespace Ebpf.Cni.Kernel.Netlink;

/// <content>Queues: what shapes the traffic that an interface sends.</content>
public sealed partial class RouteNetlink
{
    /// <summary>Puts a token bucket in the place of the interface's root queue, or changes the one of this handle.</summary>
    /// <param name="handle">Marks it as the caller's: the lower half is 0.</param>
    /// <exception cref="KernelException">ENOENT where the kernel has no sch_tbf.</exception>
    public void ReplaceTokenBucket(int ifindex, uint handle, TbfLimits bucket)
    {
        ArgumentNullException.ThrowIfNull(bucket);
        var request = NetlinkRequest.Create(
            MessageType.NewQdisc, MessageFlags.Acknowledge | MessageFlags.Create | MessageFlags.Replace,
            new QdiscHeader { Ifindex = ifindex, Handle = handle, Parent = QdiscInfo.Root });
        request.Put(QdiscAttribute.Kind, QdiscInfo.TokenBucketKind);
        using (request.Nest(QdiscAttribute.Options))
        {
            request.PutStructure(QdiscAttribute.BucketParameters, new TokenBucketHeader
            {
                Rate = new RateSpecification { LinkLayer = RateSpecification.Ethernet, Rate = (uint)Math.Min(bucket.Rate, uint.MaxValue) },
                Limit = bucket.Limit,
            });
            request.Put(QdiscAttribute.BucketBurst, bucket.Burst);
            if (bucket.Rate > uint.MaxValue)
                request.Put(QdiscAttribute.BucketRate64, bucket.Rate);
        }

        Execute(request, $"set the rate limit of interface {ifindex}");
    }

    /// <summary>Takes the root queue of this handle away; the interface's default comes back.</summary>
    /// <exception cref="KernelException">ENOENT or EINVAL if it has none.</exception>
    public void DeleteRootQdisc(int ifindex, uint handle) => Execute(
        NetlinkRequest.Create(
            MessageType.DeleteQueue, MessageFlags.Acknowledge,
            new QdiscHeader { Ifindex = ifindex, Handle = handle, Parent = QdiscInfo.Root }),
        $"delete the root qdisc of interface {ifindex}");

    /// <summary>All of an interface.</summary>
    public IReadOnlyList<QdiscInfo> Queues(int ifindex)
    {
        var request = NetlinkRequest.Create(MessageType.GetQdisc, MessageFlags.Dump, new QdiscHeader { Ifindex = ifindex });
        return _socket.Dump(
            request, $"list the qdiscs of interface {ifindex}", MessageType.NewQdisc,
            payload => QdiscInfo.Read(payload) is var queue && queue.Ifindex == ifindex ? queue : null);
    }
}
