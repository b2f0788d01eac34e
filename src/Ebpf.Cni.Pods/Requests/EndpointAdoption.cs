using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Pods.Requests;

/// <summary>
/// Adoption of existing pods by a starting agent, before it serves: running pods keep their network and get the current
/// programs; endpoints of dead pods and of interrupted ADDs are removed.
/// </summary>
/// <remarks>
/// A pod is dead when its interface is gone and its namespace too. An interface alone proves the namespace:
/// the kernel deletes a veth with either of its ends. A path that is missing proves nothing against that:
/// it is this process that may not see it, for a mount that is missing or does not propagate.
/// </remarks>
public sealed partial class EndpointAdoption(
    IEndpointStore store, IPodNetwork network, IEndpointPrograms programs, PendingDeletes pending, ILogger<EndpointAdoption> log)
{
    /// <summary>
    /// The kernel tears a namespace down, and its interfaces with it, in a worker
    /// of its own: milliseconds after its last process, and later when it is busy.
    /// </summary>
    private static readonly TimeSpan TearDown = TimeSpan.FromMilliseconds(500);

    public void Run()
    {
        // What the runtime believes deleted is deleted soon, and is not looked at: pods that come need not wait for it.
        var pods = LookAtAll(store.All.Where(r => !pending.Has(r.Key)));
        var unseen = UnseenDirectories(pods);
        var (adopted, removed) = (0, 0);
        foreach (var pod in pods)
        {
            try
            {
                if (pod.Trouble is not null)
                    throw pod.Trouble;
                if (!pod.Record.Ready)
                    Remove(pod.Record, "its ADD was interrupted", ref removed);
                else if (pod.Link is { } link && !IsGone(pod, unseen))
                    Adopt(pod.Record, link, ref adopted);
                else if (pod.SeesNamespace)
                    Keep(pod.Record);
                else
                    Remove(pod.Record, "its interface and network namespace are gone", ref removed);
            }
            catch (Exception e)
            {
                // One broken pod must not keep the others, and the node, from working.
                Log.Failed(log, pod.Record.Key, e);
            }
        }

        RemoveOrphans();
        Log.Done(log, adopted, removed);
    }

    /// <summary>Those whose namespace is gone and whose interface is not (yet) are looked at until it is, or stays.</summary>
    private List<Pod> LookAtAll(IEnumerable<EndpointRecord> records)
    {
        var pods = records.Select(Look).ToList();
        SpinWait.SpinUntil(
            () =>
            {
                pods = [.. pods.Select(p => IsGoing(p) ? Look(p.Record) : p)];
                return !pods.Exists(IsGoing);
            },
            TearDown);
        return pods;
    }

    private bool IsGoing(Pod pod) =>
        pod is { Trouble: null, Link.Ifindex: > 0, SeesNamespace: false } && network.NamespaceIsGone(pod.Record.Netns);

    private Pod Look(EndpointRecord record)
    {
        try
        {
            return new Pod(record, network.FindHostLink(record), network.NamespaceExists(record.Netns), null);
        }
        catch (Exception e)
        {
            return new Pod(record, null, false, e);
        }
    }

    /// <summary>
    /// Directories that do not show the namespaces of pods whose interfaces are there: nothing that is missing in them is gone.
    /// </summary>
    private HashSet<string> UnseenDirectories(List<Pod> pods)
    {
        var unseen = pods.Where(p => p is { Trouble: null, Link.Ifindex: > 0, SeesNamespace: false }).CountBy(DirectoryOf).ToList();
        foreach (var (directory, count) in unseen)
            Log.Unseen(log, count, directory);
        return [.. unseen.Select(u => u.Key)];
    }

    /// <summary>No interface on the node is the pod's alone (a macvlan's): the namespace is all there is to go by.</summary>
    private bool IsGone(Pod pod, HashSet<string> unseen) =>
        pod.Link is { Ifindex: 0 } && network.NamespaceIsGone(pod.Record.Netns) && !unseen.Contains(DirectoryOf(pod));

    private static string DirectoryOf(Pod pod) => Path.GetDirectoryName(pod.Record.Netns) ?? "";

    /// <summary>The pod lives without its interface: what it has stays its own until its DEL.</summary>
    private void Keep(EndpointRecord record)
    {
        Log.Kept(log, record.Key, record.Pod);
        programs.Withdraw(record);
        programs.Detach(record.Key);
    }

    private void Adopt(EndpointRecord record, HostLink link, ref int adopted)
    {
        var current = network.Current(record);
        programs.Attach(link);
        programs.Publish(current, link);
        network.ConnectHost(current, link);
        adopted++;
        if (ReferenceEquals(current, record))
            return;
        // Its MAC address was changed while no agent was there.
        store.Save(current);
        network.ConfigurePod(current);
    }

    private void RemoveOrphans()
    {
        try
        {
            foreach (var orphan in network.RemoveOrphans(store.All))
                Log.Orphan(log, orphan);
        }
        catch (Exception e)
        {
            Log.OrphansFailed(log, e);
        }

        programs.RemoveAllBut(store.All);
    }

    private void Remove(EndpointRecord record, string why, ref int removed)
    {
        Log.Removing(log, record.Key, why);
        network.DeleteLink(record.Key);
        programs.Withdraw(record);
        programs.Detach(record.Key);
        store.Release(record);
        removed++;
    }

    /// <summary>What the kernel has of a record's pod.</summary>
    /// <param name="Record">Its record.</param>
    /// <param name="Link">The node's side of its interface; null without.</param>
    /// <param name="SeesNamespace">The namespace can be opened by its path.</param>
    /// <param name="Trouble">The error, if the kernel cannot be read.</param>
    private sealed record Pod(EndpointRecord Record, HostLink? Link, bool SeesNamespace, Exception? Trouble);

    private static partial class Log
    {
        [LoggerMessage(3131, LogLevel.Information, "endpoints: {Adopted} adopted, {Removed} removed")]
        public static partial void Done(ILogger log, int adopted, int removed);

        [LoggerMessage(3132, LogLevel.Information, "removing endpoint {Key}: {Why}")]
        public static partial void Removing(ILogger log, EndpointKey key, string why);

        [LoggerMessage(3133, LogLevel.Error, "endpoint {Key} can neither be adopted nor removed; retried at the next agent start")]
        public static partial void Failed(ILogger log, EndpointKey key, Exception e);

        [LoggerMessage(3134, LogLevel.Information, "orphan of a deleted endpoint removed: {What}")]
        public static partial void Orphan(ILogger log, string what);

        [LoggerMessage(3135, LogLevel.Error,
            "orphans of deleted endpoints cannot be removed; retried at the next agent start and by CNI GC")]
        public static partial void OrphansFailed(ILogger log, Exception e);

        [LoggerMessage(3136, LogLevel.Warning,
            "endpoint {Key} (pod {Pod}) lost its interface, but its network namespace exists: its addresses stay reserved until DEL; "
            + "delete the pod to restore its network")]
        public static partial void Kept(ILogger log, EndpointKey key, string pod);

        [LoggerMessage(3137, LogLevel.Error,
            "network namespaces of {Pods} running pods not visible in {Directory}: no pod can be added; "
            + "mount the runtime's directory into the agent's container (mountPropagation: HostToContainer)")]
        public static partial void Unseen(ILogger log, int pods, string directory);
    }
}
