using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Prometheus;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>
/// What services and their backends were used, for so many of them as the operator wants; the rest has the service "other" without a
/// namespace.
/// </summary>
public sealed class ServiceMetrics
{
    private readonly BoundedSeries<ServiceLabels> _serviceSeries;
    private readonly BoundedSeries<BackendLabels> _backendSeries;
    private readonly Counters _services, _backends;
    private readonly bool _off;

    /// <param name="registry">Where they are exported.</param>
    /// <param name="most">Services, and as many backends; 0 counts none.</param>
    public ServiceMetrics(CollectorRegistry registry, int most)
    {
        var factory = Prometheus.Metrics.WithCustomRegistry(registry);
        _off = most == 0;
        _serviceSeries = new BoundedSeries<ServiceLabels>(most);
        _backendSeries = new BoundedSeries<BackendLabels>(most);
        _services = new Counters(factory, "ebpf_cni_service", "a service port", ["namespace", "service", "port"]);
        _backends = new Counters(factory, "ebpf_cni_service_backend", "a backend of a service port",
            ["namespace", "service", "port", "backend"]);
    }

    /// <param name="ended">What connections had when they ended, and how many began.</param>
    /// <param name="live">What living ones have had until now.</param>
    /// <param name="names">What the ids stand for; an id without a name is of a service that is gone.</param>
    public void Update(IReadOnlyDictionary<StatKey, Stat> ended, IReadOnlyDictionary<StatKey, Stat> live,
        IReadOnlyDictionary<uint, ServicePortName> names)
    {
        ArgumentNullException.ThrowIfNull(ended);
        ArgumentNullException.ThrowIfNull(live);
        ArgumentNullException.ThrowIfNull(names);
        if (_off)
            return;
        var (services, backends) = (new Dictionary<ServiceLabels, Stat>(), new Dictionary<BackendLabels, Stat>());
        foreach (var (key, stat) in ended.Concat(live))
        {
            if (!names.TryGetValue(key.ServiceId, out var name))
                continue;
            var service = new ServiceLabels(name.Service.Namespace, name.Service.Name, name.Port);
            var backend = new BackendLabels(service, BackendText(key));
            services[service] = BoundedSeries<ServiceLabels>.Sum(services.GetValueOrDefault(service), stat);
            backends[backend] = BoundedSeries<BackendLabels>.Sum(backends.GetValueOrDefault(backend), stat);
        }

        var serviceChanges = _serviceSeries.Update(services, out var goneServices);
        foreach (var (key, isOther, delta) in serviceChanges)
            _services.Inc(isOther ? ["", "other", ""] : [key.Namespace, key.Service, key.Port], delta);
        foreach (var key in goneServices)
            _services.Remove([key.Namespace, key.Service, key.Port]);
        var backendChanges = _backendSeries.Update(backends, out var goneBackends);
        foreach (var (key, isOther, delta) in backendChanges)
            _backends.Inc(isOther ? ["", "other", "", ""] : [key.Of.Namespace, key.Of.Service, key.Of.Port, key.Backend], delta);
        foreach (var key in goneBackends)
            _backends.Remove([key.Of.Namespace, key.Of.Service, key.Of.Port, key.Backend]);
    }

    private static string BackendText(StatKey key) => new System.Net.IPEndPoint(key.Addr.ToIPAddress(), key.Port.Host).ToString();

    private readonly record struct ServiceLabels(string Namespace, string Service, string Port);

    private readonly record struct BackendLabels(ServiceLabels Of, string Backend);

    /// <summary>The counters of one kind of series.</summary>
    private sealed class Counters(IMetricFactory factory, string prefix, string what, string[] labels)
    {
        private readonly Counter _connections = factory.CreateCounter($"{prefix}_connections_total", $"New connections to {what}.", labels);
        private readonly Counter _packets = factory.CreateCounter(
            $"{prefix}_packets_total", $"Packets to and from {what}: translated ones, and those of finished connections.",
            [.. labels, "direction"]);
        private readonly Counter _bytes = factory.CreateCounter(
            $"{prefix}_bytes_total", $"Bytes of the packets counted in {prefix}_packets_total.", [.. labels, "direction"]);

        public void Inc(string[] values, Stat delta)
        {
            _connections.WithLabels(values).Inc(delta.Connections);
            _packets.WithLabels([.. values, "to"]).Inc(delta.PacketsTo);
            _packets.WithLabels([.. values, "from"]).Inc(delta.PacketsFrom);
            _bytes.WithLabels([.. values, "to"]).Inc(delta.BytesTo);
            _bytes.WithLabels([.. values, "from"]).Inc(delta.BytesFrom);
        }

        public void Remove(string[] values)
        {
            _connections.RemoveLabelled(values);
            foreach (var direction in new[] { "to", "from" })
            {
                _packets.RemoveLabelled([.. values, direction]);
                _bytes.RemoveLabelled([.. values, direction]);
            }
        }
    }
}
