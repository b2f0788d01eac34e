using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Dataplane.Conntrack;

/// <content>What is removed because a pod is gone.</content>
public sealed partial class ConntrackTable
{
    /// <summary>
    /// Removes every entry that names one of these addresses, as a packet has it or as it becomes: both directions of all connections of
    /// pods that are gone, of any protocol. What they carried since their last report is not added to the statistics.
    /// </summary>
    /// <returns>How many entries were removed.</returns>
    /// <exception cref="Kernel.KernelException">The table cannot be read.</exception>
    public int PurgeAddresses(IReadOnlyCollection<Addr> gone)
    {
        ArgumentNullException.ThrowIfNull(gone);
        if (gone.Count == 0)
            return 0;
        var addresses = gone.ToHashSet();
        lock (_lock)
        {
            var keys = new List<CtKey>();
            Scan((found, values) =>
            {
                for (var i = 0; i < found.Length; i++)
                    if (addresses.Contains(found[i].Src) || addresses.Contains(found[i].Dst) || addresses.Contains(values[i].Src)
                        || addresses.Contains(values[i].Dst))
                        keys.Add(found[i]);
            });
            return Delete(keys);
        }
    }
}
