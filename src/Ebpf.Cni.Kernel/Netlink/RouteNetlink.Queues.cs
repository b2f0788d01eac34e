namespace Ebpf.Cni.Kernel.Netlink;

/// <content>Queues: what shapes the traffic that an interface sends.</content>
public sealed partial class RouteNetlink
{
    /// <summary>Puts a token bucket in the place of the interface's root queue, or changes the one of this handle.</summary>
    /// <param name="handle">Marks it as the caller's: the lower half is 0.</param>
    /// <exception cref="KernelException">ENOENT where the kernel has no sch_tbf.</exception>
    public void ReplaceTokenBucket(int ifindex, uint handle, TokenBucket bucket)
    {
        ArgumentNullException.ThrowIfNull(bucket);
        var request = NetlinkRequest.Create(
            MessageType.NewQueue, MessageFlags.Acknowledge | MessageFlags.Create | MessageFlags.Replace,
            new QueueHeader { Ifindex = ifindex, Handle = handle, Parent = QueueInfo.Root });
        request.Put(QueueAttribute.Kind, QueueInfo.TokenBucketKind);
        using (request.Nest(QueueAttribute.Options))
        {
            request.PutStructure(QueueAttribute.BucketParameters, new TokenBucketHeader
            {
                Rate = new RateSpecification { LinkLayer = RateSpecification.Ethernet, Rate = (uint)Math.Min(bucket.Rate, uint.MaxValue) },
                Limit = bucket.Limit,
            });
            request.Put(QueueAttribute.BucketBurst, bucket.Burst);
            if (bucket.Rate > uint.MaxValue)
                request.Put(QueueAttribute.BucketRate64, bucket.Rate);
        }

        Execute(request, $"limit what interface {ifindex} sends");
    }

    /// <summary>Takes the root queue of this handle away; the interface's default comes back.</summary>
    /// <exception cref="KernelException">ENOENT or EINVAL if it has none.</exception>
    public void DeleteRootQueue(int ifindex, uint handle) => Execute(
        NetlinkRequest.Create(
            MessageType.DeleteQueue, MessageFlags.Acknowledge, new QueueHeader { Ifindex = ifindex, Handle = handle, Parent = QueueInfo.Root }),
        $"take the queue off interface {ifindex}");

    /// <summary>All of an interface.</summary>
    public IReadOnlyList<QueueInfo> Queues(int ifindex)
    {
        var request = NetlinkRequest.Create(MessageType.GetQueue, MessageFlags.Dump, new QueueHeader { Ifindex = ifindex });
        return _socket.Dump(
            request, $"list the queues of interface {ifindex}", MessageType.NewQueue,
            payload => QueueInfo.Read(payload) is var queue && queue.Ifindex == ifindex ? queue : null);
    }
}
