using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Sync.Conntrack;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>Reads one of the kernel's tables and hands it, with the names of the moment, to the listing that makes the answer.</summary>
public sealed class TableReader(
    EndpointStore addresses, AppliedState applied, SnapshotStore store, IssueReport issues, ConntrackGarbageCollector collector)
{
    public ServicesAnswer Services(NodeDataplane kernel, ObserveQuery query)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(query);
        var names = Names();
        var views = kernel.Services.ReadServices((key, value) =>
            !ServiceListing.IsRejectEntry(key, value)
                && (query.Namespace is null || names.Service(value.ServiceId)?.Service.Namespace == query.Namespace));
        return new ServiceListing(names, applied.Current).All(views, query.Limit ?? ObservePaths.LimitDefault);
    }

    /// <returns>Null if neither the API nor the kernel knows it.</returns>
    public ServiceAnswer? Service(NodeDataplane kernel, ObjectName name)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        var (names, desired, cluster) = (Names(), applied.Current, store.Current);
        var wanted = applied.Names.Where(n => n.Value.Service == name).Select(n => n.Key).ToHashSet();
        var views = kernel.Services.ReadServices(
            (key, value) => wanted.Contains(value.ServiceId) && !ServiceListing.IsRejectEntry(key, value));
        var known = cluster.Services.GetValueOrDefault(name);
        if (known is null && views.IsEmpty)
            return null;
        var ranges = views.Any(v => v.Value.Flags.HasFlag(SvcFlags.SourceRanges)) ? kernel.Services.ReadSourceRanges(wanted) : [];
        var answer = new ServiceListing(names, desired).One(
            name, views, ranges, BackendCounts.Of(kernel.Stats.Read(), collector.Last?.Live), EndpointFact.Of(cluster, name));
        return answer with { Type = known?.Type,
            Issues = [.. issues.Current.Where(i => i.Kind == "Service" && i.Name == name).Select(StatusReader.Issue)] };
    }

    public EndpointsAnswer Endpoints(NodeDataplane kernel, ObserveQuery query)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(query);
        using var netlink = RouteNetlink.Open();
        var devices = netlink.Links().ToDictionary(l => l.Index, l => l.Name);
        return EndpointListing.Of(kernel.Endpoints.List(), addresses.All, devices, query);
    }

    public ConntrackAnswer Connections(NodeDataplane kernel, ObserveQuery query)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        var filter = ConnectionFilter.Of(query, addresses.All, applied.Names);
        return ConnectionListing.Of(kernel.Conntrack.List(query.Limit ?? ObservePaths.ConntrackLimitDefault, filter.Wants), Names());
    }

    public IpcacheAnswer Prefixes(NodeDataplane kernel, ObserveQuery query)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(query);
        return IpcacheListing.Of(kernel.Ipcache.List(), Names(), kernel.Ipcache.Usage().Size, query.Limit ?? ObservePaths.LimitDefault);
    }

    private KnownNames Names() => new(applied.Names, addresses.All, store.Current);
}
