using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Sync.Apply;
using Prometheus;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>Metrics read at scrape time: tables, packet counters, watches, addresses.</summary>
public sealed class StateMetrics
{
    private readonly ClusterWatcher _watcher;
    private readonly EndpointStore _addresses;
    private readonly DataplaneHolder _dataplane;
    private readonly IssueEvents _issueEvents;
    private readonly PendingChanges _pending;
    private readonly Gauge _entries, _sizes, _connected, _objects, _inUse, _resting, _capacity, _endpoints, _servicesPending,
        _endpointsPending;
    private readonly Counter _packets, _bytes, _suppressed, _watchEvents, _watchErrors, _lists, _endpointChanges, _serviceChanges, _posted,
        _unposted;

    public StateMetrics(
        CollectorRegistry registry, ClusterWatcher watcher, EndpointStore addresses, DataplaneHolder dataplane, IssueEvents issueEvents,
        PendingChanges pending)
    {
        (_watcher, _addresses, _dataplane, _issueEvents, _pending) = (watcher, addresses, dataplane, issueEvents, pending);
        var factory = Prometheus.Metrics.WithCustomRegistry(registry);
        _entries = factory.CreateGauge("ebpf_cni_table_entries", "Entries in use, by BPF table.", ["table"]);
        _sizes = factory.CreateGauge("ebpf_cni_table_size", "Maximum number of entries, by BPF table.", ["table"]);
        _packets = factory.CreateCounter(
            "ebpf_cni_packets_total", "Packets and socket calls, by reason of the verdict and by hook.", ["reason", "hook"]);
        _bytes = factory.CreateCounter(
            "ebpf_cni_bytes_total", "Bytes of the packets counted in ebpf_cni_packets_total.", ["reason", "hook"]);
        _suppressed = factory.CreateCounter(
            "ebpf_cni_suppressed_total",
            "ICMP refusals, ICMP errors and drop records suppressed above --refusal-rate and --drop-record-rate.", ["what"]);
        _connected = factory.CreateGauge("ebpf_cni_watch_connected", "1 while the API watch is open, by kind.", ["kind"]);
        _objects = factory.CreateGauge("ebpf_cni_watch_objects", "Objects in the cache, by kind.", ["kind"]);
        _watchEvents = factory.CreateCounter("ebpf_cni_watch_events_total", "Watch events applied, by kind.", ["kind"]);
        _watchErrors = factory.CreateCounter("ebpf_cni_watch_errors_total", "Failed lists and failed watches, by kind.", ["kind"]);
        _lists = factory.CreateCounter("ebpf_cni_watch_lists_total", "Completed lists, by kind.", ["kind"]);
        _endpointChanges = factory.CreateCounter(
            "kubeproxy_sync_proxy_rules_endpoint_changes_total", "EndpointSlice changes received.");
        _serviceChanges = factory.CreateCounter("kubeproxy_sync_proxy_rules_service_changes_total", "Service changes received.");
        _endpointsPending = factory.CreateGauge(
            "kubeproxy_sync_proxy_rules_endpoint_changes_pending", "EndpointSlice changes received and not yet applied to the kernel.");
        _servicesPending = factory.CreateGauge(
            "kubeproxy_sync_proxy_rules_service_changes_pending", "Service changes received and not yet applied to the kernel.");
        _inUse = factory.CreateGauge("ebpf_cni_addresses_in_use", "Pod addresses in use, by family.", ["family"]);
        _resting = factory.CreateGauge(
            "ebpf_cni_addresses_resting", "Released pod addresses within the IP reuse delay, by family.", ["family"]);
        _capacity = factory.CreateGauge(
            "ebpf_cni_addresses_capacity", "Usable pod addresses in the node's podCIDRs, by family.", ["family"]);
        _endpoints = factory.CreateGauge("ebpf_cni_endpoints", "Pod endpoints (interfaces) on this node.");
        _posted = factory.CreateCounter("ebpf_cni_events_posted_total", "Kubernetes events posted for issues.");
        _unposted = factory.CreateCounter("ebpf_cni_events_dropped_total", "Kubernetes events dropped: rate limit or API errors.");
        registry.AddBeforeCollectCallback(Collect);
    }

    private void Collect()
    {
        foreach (var state in _watcher.States)
        {
            _connected.WithLabels(state.Kind).Set(state.Connected ? 1 : 0);
            _objects.WithLabels(state.Kind).Set(state.Objects);
            _watchEvents.WithLabels(state.Kind).IncTo(state.Events);
            _watchErrors.WithLabels(state.Kind).IncTo(state.Errors);
            _lists.WithLabels(state.Kind).IncTo(state.Lists);
            var (changes, pending) = state.Kind switch
            {
                "Service" => (_serviceChanges, _servicesPending),
                "EndpointSlice" => (_endpointChanges, _endpointsPending),
                _ => (null, null),
            };
            changes?.IncTo(state.Events);
            pending?.Set(_pending.Of(state.Kind, state.Events));
        }

        foreach (var (family, used, capacity) in _addresses.Usage)
        {
            _inUse.WithLabels(Name(family)).Set(used);
            _capacity.WithLabels(Name(family)).Set(capacity);
        }

        foreach (var (family, resting) in _addresses.AtRest)
            _resting.WithLabels(Name(family)).Set(resting);

        _endpoints.Set(_addresses.All.Count);
        _posted.IncTo(_issueEvents.Posted);
        _unposted.IncTo(_issueEvents.Dropped);
        if (_dataplane.Opened.IsCompletedSuccessfully)
            Collect(_dataplane.Opened.Result);

        static string Name(System.Net.Sockets.AddressFamily family) =>
            family == System.Net.Sockets.AddressFamily.InterNetwork ? "ipv4" : "ipv6";
    }

    private void Collect(NodeDataplane dataplane)
    {
        foreach (var usage in dataplane.Usage())
        {
            _entries.WithLabels(usage.Table).Set(usage.Entries);
            _sizes.WithLabels(usage.Table).Set(usage.Size);
        }

        foreach (var reading in dataplane.Counters.Read())
        {
            var (reason, hook) = (LabelText.Snake(reading.Reason), LabelText.Snake(reading.Hook));
            _packets.WithLabels(reason, hook).IncTo(reading.Packets);
            _bytes.WithLabels(reason, hook).IncTo(reading.Bytes);
        }

        foreach (var (ration, count) in dataplane.Counters.ReadSuppressed())
            _suppressed.WithLabels(LabelText.Snake(ration)).IncTo(count);
    }
}
