using Ebpf.Cni.Agent.Ipam;

namespace Ebpf.Cni.Agent.Cni;

/// <summary>
/// What a starting agent does about the pods of its predecessor, before it serves: living ones keep their network and get the current
/// programs; dead ones, and ADDs that were interrupted, are removed.
/// </summary>
public sealed partial class EndpointAdoption(
    IAddressStore store, IPodNetwork network, IEndpointPrograms programs, ILogger<EndpointAdoption> log)
{
    public void Run()
    {
        var (adopted, removed) = (0, 0);
        foreach (var record in store.All)
        {
            try
            {
                if (record.Ready && !network.NamespaceIsGone(record.Netns) && network.FindHostLink(record) is { } link)
                {
                    Adopt(record, link);
                    adopted++;
                }
                else
                {
                    Remove(record);
                    removed++;
                }
            }
            catch (Exception e)
            {
                // One broken pod must not keep the others, and the node, from working.
                Log.Failed(log, record.Key, e);
            }
        }

        RemoveStrays();
        Log.Done(log, adopted, removed);
    }

    private void Adopt(EndpointRecord record, HostLink link)
    {
        var current = network.Current(record);
        programs.Attach(link);
        programs.Publish(current, link);
        network.ConnectHost(current, link);
        if (ReferenceEquals(current, record))
            return;
        // Its MAC address was changed while no agent was there.
        store.Save(current);
        network.ConfigurePod(current);
    }

    private void RemoveStrays()
    {
        try
        {
            foreach (var stray in network.RemoveStrays(store.All))
                Log.Stray(log, stray);
        }
        catch (Exception e)
        {
            Log.StraysFailed(log, e);
        }

        programs.RemoveAllBut(store.All);
    }

    private void Remove(EndpointRecord record)
    {
        Log.Removing(log, record.Key, record.Ready ? "its interface or its namespace is gone" : "its ADD was interrupted");
        network.DeleteLink(record.Key);
        programs.Withdraw(record);
        programs.Detach(record.Key);
        store.Release(record);
    }

    private static partial class Log
    {
        [LoggerMessage(3131, LogLevel.Information, "endpoints: {Adopted} adopted, {Removed} removed")]
        public static partial void Done(ILogger log, int adopted, int removed);

        [LoggerMessage(3132, LogLevel.Information, "removing endpoint {Key}: {Why}")]
        public static partial void Removing(ILogger log, EndpointKey key, string why);

        [LoggerMessage(3133, LogLevel.Error, "endpoint {Key} can neither be adopted nor removed; it is tried again at the next start")]
        public static partial void Failed(ILogger log, EndpointKey key, Exception e);

        [LoggerMessage(3134, LogLevel.Information, "left over from an endpoint that is gone, removed: {What}")]
        public static partial void Stray(ILogger log, string what);

        [LoggerMessage(3135, LogLevel.Error, "leftovers of endpoints that are gone cannot be removed; it is tried again at the next start, and by GC")]
        public static partial void StraysFailed(ILogger log, Exception e);
    }
}
